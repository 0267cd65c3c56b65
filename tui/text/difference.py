"""What differs between two texts: as one edit, or word by word."""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import SequenceMatcher

_WORD = re.compile(r"\w+|[^\w\s]")
_MOST_WORDS = 2000  # of a text that are compared one by one, between what is the same at both ends


def difference(before: str, after: str) -> tuple[int, int, int]:
    """(start, end, end_after): the one text becomes the other when before[start:end] becomes after[start:end_after]."""
    shorter = min(len(before), len(after))
    start = _most(shorter, lambda length: before.startswith(after[:length]))
    same = _most(shorter - start, lambda length: before.endswith(after[len(after) - length :]))
    return start, len(before) - same, len(after) - same


def differing_words(text: str, other: str) -> list[tuple[int, int]]:
    """The stretches of `text`, in order, whose words do not stand in `other` as well, in the same order.

    Blanks do not count. Where the texts are long, all between the first and the last difference is one stretch.
    """
    places = [(word.start(), word.end()) for word in _WORD.finditer(text)]
    words, others = [text[start:end] for start, end in places], _WORD.findall(other)
    first = _most(min(len(words), len(others)), lambda count: words[:count] == others[:count])
    rest = min(len(words), len(others)) - first
    same = _most(rest, lambda count: words[len(words) - count :] == others[len(others) - count :])
    words, others = words[first : len(words) - same], others[first : len(others) - same]
    edits = [("replace", 0, len(others), 0, len(words))]
    if len(words) <= _MOST_WORDS and len(others) <= _MOST_WORDS:
        edits = SequenceMatcher(None, others, words).get_opcodes()
    return [
        (places[first + start][0], places[first + end - 1][1])
        for kind, _, _, start, end in edits
        if kind != "equal" and start < end
    ]


def _most(largest: int, holds: Callable[[int], bool]) -> int:
    """The largest number up to `largest` for which something holds that holds for all smaller ones."""
    low = 0
    while low < largest:
        middle = (low + largest + 1) // 2
        if holds(middle):
            low = middle
        else:
            largest = middle - 1
    return low
