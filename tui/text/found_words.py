"""Where words that are searched for stand, in a text or in a conversation that grows while they are looked for."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import groupby
from typing import Any, Generic, TypeVar

from .transcript_text import Location, RowKind, TranscriptText

Place = TypeVar("Place", int, Location)


class FoundWords(Generic[Place]):
    """The places of some words, whatever the case of their letters; none where there are no words."""

    def __init__(self, words: str = "") -> None:
        self.words = words
        self.places: list[Place] = []
        """Where each hit begins, in order; all are as long as the words."""
        self._pattern = re.compile(re.escape(words), re.IGNORECASE)

    def _begins(self, text: str, start: int = 0) -> Iterator[int]:
        return (hit.start() for hit in self._pattern.finditer(text, start)) if self.words else iter(())

    def next_to(self, place: Any, step: int) -> Place | None:
        """The first hit behind a place (`step` 1) or the last before it (-1), round the ends; None without a hit."""
        if not self.places:
            return None
        index = bisect_right(self.places, place) if step > 0 else bisect_left(self.places, place) - 1
        return self.places[index % len(self.places)]

    def number_of(self, place: Place | None) -> int:
        """Which hit begins at a place, counted from 1; 0 where none does."""
        if place is None:
            return 0
        index = bisect_left(self.places, place)
        return index + 1 if index < len(self.places) and self.places[index] == place else 0


class FoundInText(FoundWords[int]):
    """Hits in one text; a place is the offset of a character."""

    def search(self, text: str, unchanged: int = 0) -> bool:
        """Find the words in this text, of which so many characters are as before; whether anything else is found."""
        before = self.places
        kept = bisect_left(before, unchanged - len(self.words) + 1)
        begin = max(0, before[kept - 1] + len(self.words) if kept else 0, unchanged - len(self.words) + 1)
        self.places = before[:kept] + list(self._begins(text, begin))
        return self.places != before


class FoundInTurns(FoundWords[Location]):
    """Hits in what was said in a conversation, not in headings and status lines; each lies in one paragraph."""

    def search(self, turns: TranscriptText, first: int = 0) -> bool:
        """Find the words in the paragraphs from this one on; whether anything else is found than before."""
        before = self.places
        if not self.words:
            return False
        self.places = before[: bisect_left(before, (first, 0))]
        rows = turns.rows[turns.find((first, 0, 0)) :] if turns.rows else []
        for (paragraph, kind), group in groupby(rows, key=lambda row: (row.paragraph, row.kind)):
            if kind is RowKind.TEXT and paragraph >= first:
                text = "".join(row.text for row in group)
                self.places += [(paragraph, start) for start in self._begins(text)]
        return self.places != before

    def in_row(self, turns: TranscriptText, index: int) -> list[tuple[int, int, Location]]:
        """The parts of a row that are hits, as indices into its text, each with the place of its hit."""
        row = turns.rows[index]
        if not self.places or row.kind is not RowKind.TEXT:
            return []
        length, end = len(self.words), len(row.text)
        first = bisect_right(self.places, (row.paragraph, row.offset - length))
        behind = bisect_left(self.places, (row.paragraph, row.offset + end), first)
        starts = ((place, place[1] - row.offset) for place in self.places[first:behind])
        return [(max(0, start), min(start + length, end), place) for place, start in starts]
