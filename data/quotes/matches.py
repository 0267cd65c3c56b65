"""The longest passage from each place of a text that stands in a stored text, exactly, by binary search."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from mmap import mmap

from .stored_text import DEEPEST, DEPTH, MANY

_TOPS = 1 << 10  # places at even distances whose texts are kept in memory: the first ten steps of a search
_MOST_COMPARED = 100_000  # places that are looked at to find where one passage stands


@dataclass(frozen=True)
class Match:
    """text[start:end] stands in the stored text from its byte `position` on; empty where that lacks the character."""

    start: int  # in code points
    end: int
    position: int


class SortedSuffixes:
    """The stored text with all of its places in the order of the DEPTH bytes that follow them."""

    def __init__(self, content: mmap, places: Sequence[int]) -> None:
        self._content, self._places = content, places
        self._step = len(places) // _TOPS + 1
        self._tops = [self._following(number) for number in range(0, len(places), self._step)]

    def matches(self, text: str) -> list[Match]:
        """For each code point of `text` the longest match that begins there.

        From the last to the first: a match that can be continued to the left is the longest one there, because none
        ends later than the longest from the next character on. So what is quoted needs no search but at its end.
        """
        query = text.encode("utf-8", "surrogatepass")  # a lone surrogate stands in no corpus
        starts = _starts(text)
        character_at = {start: number for number, start in enumerate(starts)}
        known = dict[bytes, tuple[int, int]]()  # what a text that repeats itself would ask for again and again
        found = list[Match]()
        end, position = len(query), 0  # in bytes, of the match that begins at the next character
        for number in range(len(text) - 1, -1, -1):
            start, following = starts[number], starts[number + 1]
            before = position - (following - start)
            if end > following and before > 0 and self._content[before:position] == query[start:following]:
                position = before
            else:
                asked = query[start:end]
                if asked not in known:
                    known[asked] = self._longest(asked)
                length, position = known[asked]
                end = start + length
                while end not in character_at:  # a part of a character is none
                    end -= 1
            found.append(Match(number, character_at[end], position))
        found.reverse()
        return found

    def positions(self, text: str, most: int) -> tuple[list[int], bool]:
        """At most `most` of the bytes at which `text` stands, in their order, and whether those are all of them."""
        query = text.encode("utf-8", "surrogatepass")
        low, high, depth = 0, len(self._places), min(len(query), DEPTH)
        while True:
            key = query[:depth]
            low = self._search(key, depth, low, high)
            high = self._search(key + b"\0", depth, low, high)  # the first that is behind the key
            if depth in (len(query), DEEPEST) or high - low <= MANY:
                break
            depth = min(len(query), depth + DEPTH)
        likely = self._places[low : min(high, low + _MOST_COMPARED)]
        found = (place for place in likely if self._content[place : place + len(query)] == query)
        positions = [*islice(found, most + 1)]
        return sorted(positions[:most]), len(positions) <= most and high - low <= _MOST_COMPARED

    def _longest(self, query: bytes) -> tuple[int, int]:
        """How many bytes of `query` stand somewhere at most, from its beginning on, and where."""
        top = bisect_left(self._tops, query[:DEPTH])
        low, high = max(0, (top - 1) * self._step), min(len(self._places), top * self._step)
        depth, end = DEPTH, len(self._places)  # all places from low to end agree with the first depth - DEPTH bytes
        while True:
            key = query[:depth]
            number = self._search(key, depth, low, high)
            if number == end or not self._following(number, depth).startswith(key):
                near = [place for place in (number - 1, number) if max(0, low) <= place < end]
                found = [(common(key, self._following(place, depth)), self._places[place]) for place in near]
                return max(found, default=(0, 0))
            if len(query) <= depth:
                return len(query), self._places[number]
            if depth == DEEPEST or number + MANY >= end or self._following(number + MANY, depth) != key:
                return self._longest_of(number, query, key)
            end = self._search(key + b"\0", depth, number, end)  # the first that is behind the key
            low, high, depth = number, end, depth + DEPTH

    def _longest_of(self, number: int, query: bytes, key: bytes) -> tuple[int, int]:
        """The same among the places from `number` on that agree with `key`, which are in no order beyond that."""
        best, position = 0, 0
        while number < len(self._places) and best < len(query):
            place = self._places[number]
            candidate = self._content[place : place + max(len(key), best + 1)]
            if not candidate.startswith(key):
                break
            if candidate.startswith(query[: best + 1]):
                best, position = common(query, self._content[place : place + len(query)]), place
            number += 1
        return best, position

    def _search(self, key: bytes, depth: int, low: int, high: int) -> int:
        """The number of the first of the places from `low` to `high` whose next `depth` bytes are not before `key`."""
        content, places = self._content, self._places
        while low < high:
            middle = (low + high) // 2
            place = places[middle]
            if content[place : place + depth] < key:
                low = middle + 1
            else:
                high = middle
        return low

    def _following(self, number: int, depth: int = DEPTH) -> bytes:
        place = self._places[number]
        return self._content[place : place + depth]


def common(one: bytes, other: bytes) -> int:
    """How many bytes two texts have in common at their beginning."""
    length = min(len(one), len(other))
    difference = int.from_bytes(one[:length]) ^ int.from_bytes(other[:length])
    return length - (difference.bit_length() + 7) // 8


def _starts(text: str) -> list[int]:
    """The byte at which each code point begins in UTF-8, and where the last ends."""
    if text.isascii():
        return list(range(len(text) + 1))
    starts = [0]
    for character in text:
        code = ord(character)
        starts.append(starts[-1] + 1 + (code > 0x7F) + (code > 0x7FF) + (code > 0xFFFF))
    return starts
