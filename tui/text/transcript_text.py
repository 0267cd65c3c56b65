"""A conversation wrapped into rows: the transcript without a screen.

Only the last row can still change, so appending costs as much as what is appended. The rows are the only copy of the
text: joined, they give back what was generated, character for character.

A location in the text is a paragraph (a line of the source, numbered through the whole conversation) and an index into
it. Unlike a row and a column it stays the same when text is appended or the width changes, so selections and reading
positions are kept as locations.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from enum import IntEnum
from itertools import groupby
from typing import Literal, NamedTuple

from .token_probabilities import ColouredToken, TokenProbabilities
from .wrapping import snap, wrap

Role = Literal["you", "model", "note"]

Location = tuple[int, int]
"""(paragraph, index of the character in it)"""


class RowKind(IntEnum):
    """What a row shows; in the order in which rows of the same paragraph follow each other.

    A heading is a status line above its turn, a paragraph of its own.
    """

    TEXT = 0
    STATUS = 1
    GAP = 2


class TextRow(NamedTuple):
    """One row of the transcript. Rows are sorted by their first three fields."""

    paragraph: int
    kind: RowKind
    offset: int
    """Index in the paragraph (or status line) of the row's first character."""
    role: Role
    text: str

    @property
    def position(self) -> tuple[int, RowKind, int]:
        """What finds this row, or the row that took its place, after the width changed."""
        return self.paragraph, self.kind, self.offset


class TranscriptText:
    """The turns of a conversation as rows of at most `width` cells (and one blank that may hang over)."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.rows: list[TextRow] = []
        self.open_role: Role | None = None
        """Who is speaking; None between turns."""
        self.wrapped_characters = 0
        """How many characters were wrapped so far, again or for the first time: the cost of the layout."""
        self.probabilities = TokenProbabilities()
        """Of all that was said, each line break being a character; `offset_of` says where in it a location is."""
        self._paragraph_starts: list[int] = []
        self._turns: list[int] = []
        """The paragraphs with which the turns begin."""
        self._replies: list[int] = []
        """The paragraphs with which the model's replies to the last prompt begin."""
        self._statuses: dict[int, str] = {}
        """The status lines of the turns that have ended."""

    def begin_turn(self, role: Role, heading: str = "", *, further: bool = False) -> None:
        """Open a turn below the last one, with its heading, if any, and an empty row for its first words.

        A `further` turn of the model answers the same prompt as that above.
        """
        paragraph = 0
        if self.rows:
            last = self.rows[-1]
            paragraph = last.paragraph + 1
            self.rows.append(TextRow(last.paragraph, RowKind.GAP, 0, last.role, ""))
        self.open_role = role
        if heading:
            self._begin_paragraph()
            self._add(paragraph, RowKind.STATUS, role, heading)
            paragraph += 1
        self._begin_paragraph()
        self._turns.append(paragraph)
        if role == "model":
            self._replies = [*(self._replies if further else ()), paragraph]
        self._add(paragraph, RowKind.TEXT, role, "")

    def _begin_paragraph(self) -> None:
        if self._paragraph_starts:
            self.probabilities.append(1, None)
        self._paragraph_starts.append(self.probabilities.length)

    def append(self, text: str, tokens: Iterable[ColouredToken] = ()) -> None:
        """Add text to the open turn, with the tokens it consists of, whose offsets count from its beginning.

        What comes after the end of its turn, as from a reply just stopped, is dropped.
        """
        if self.open_role is None:
            return
        start = self.probabilities.length
        self._paragraph_starts += (start + hit.end() for hit in re.finditer("\n", text))
        self.probabilities.append_tokens(len(text), tokens)
        last = self.rows.pop()
        first, *others = text.split("\n")
        self._add(last.paragraph, RowKind.TEXT, last.role, last.text + first, last.offset)
        for paragraph, line in enumerate(others, last.paragraph + 1):
            self._add(paragraph, RowKind.TEXT, last.role, line)

    def end_turn(self, status: str = "") -> None:
        """Close the open turn, with a status line below it unless `status` is empty."""
        if self.open_role is not None:
            status = status.replace("\n", " ")
            self._statuses[len(self._turns) - 1] = status
            last = self.rows[-1]
            if status:
                self._add(last.paragraph, RowKind.STATUS, last.role, status)
        self.open_role = None

    def add_to_status(self, turn: int, words: str) -> tuple[int, int]:
        """Say `words` behind the status line of a turn that has ended, instead of what was said there before.

        Returns the first row that may have changed, and by how many rows there are more now.
        """
        if (status := self._statuses.get(turn)) is None:
            return len(self.rows), 0
        paragraph = self._last_paragraph(turn)
        first, end = (
            bisect_left(self.rows, (paragraph, kind), key=lambda row: row[:2]) for kind in (RowKind.STATUS, RowKind.GAP)
        )
        role, behind = self.rows[first - 1].role, self.rows[end:]
        del self.rows[first:]
        if line := " · ".join(filter(None, (status, words.replace("\n", " ")))):
            self._add(paragraph, RowKind.STATUS, role, line)
        added = len(self.rows) - end
        self.rows += behind
        return first, added

    def _last_paragraph(self, turn: int) -> int:
        """The paragraph with the last words of a turn."""
        if turn + 1 == len(self._turns):
            return len(self._paragraph_starts) - 1
        before = self._turns[turn + 1] - 1  # or the heading of the next one, which has no text
        row = self.rows[self.find((before, RowKind.TEXT, 0))]
        return before if (row.paragraph, row.kind) == (before, RowKind.TEXT) else before - 1

    def clear(self) -> None:
        self.rows.clear()
        self._replies.clear()
        self._turns.clear()
        self._statuses.clear()
        self._paragraph_starts.clear()
        self.probabilities.clear()
        self.open_role = None

    def rewrap(self, width: int) -> None:
        """Wrap everything again at another width."""
        rows, self.rows, self.width = self.rows, [], width
        for (paragraph, kind, role), group in groupby(rows, key=lambda row: (row.paragraph, row.kind, row.role)):
            self._add(paragraph, kind, role, "".join(row.text for row in group))

    def _add(self, paragraph: int, kind: RowKind, role: Role, text: str, offset: int = 0) -> None:
        self.wrapped_characters += len(text)
        for piece in wrap(text, self.width):
            self.rows.append(TextRow(paragraph, kind, offset, role, piece))
            offset += len(piece)

    def find(self, position: tuple[int, int, int]) -> int:
        """Index of the row that shows what stood at `position` (a row's, perhaps from another width)."""
        return max(0, bisect_right(self.rows, position, key=lambda row: row[:3]) - 1)

    def offset_of(self, location: Location) -> int:
        """Where the character at a location is among those of `probabilities`."""
        return self._paragraph_starts[location[0]] + location[1]

    def location_of(self, offset: int) -> Location:
        """The location of a character of `probabilities`."""
        paragraph = bisect_right(self._paragraph_starts, offset) - 1
        return paragraph, offset - self._paragraph_starts[paragraph]

    def turn_start(self, turn: int) -> int:
        """Where the text of a turn begins, among the characters of `probabilities`; turns are counted from 0."""
        return self._paragraph_starts[self._turns[turn]]

    def turn_in_row(self, index: int) -> int:
        """The turn of row `index`, -1 where there is none; a heading still belongs to the turn before it."""
        return bisect_right(self._turns, self.rows[index].paragraph) - 1 if self.rows else -1

    def turn_of(self, offset: int) -> tuple[int, int]:
        """The turn with this character of `probabilities`, and where it begins."""
        turn = bisect_right(self._turns, self.location_of(offset)[0]) - 1
        return turn, self.turn_start(turn)

    def set_tokens(self, turn: int, tokens: Iterable[ColouredToken]) -> None:
        """Say anew which tokens the text of a turn consists of; their offsets count from its beginning."""
        is_last = turn + 1 == len(self._turns)
        end = self.probabilities.length if is_last else self.turn_start(turn + 1) - 1
        self.probabilities.set_tokens(self.turn_start(turn), end, tokens)

    def line_break_at(self, index: int) -> int | None:
        """The line break that ends row `index`, as a character of `probabilities`; None where it ends otherwise."""
        row = self.rows[index]
        end = self.offset_of((row.paragraph, row.offset + len(row.text)))
        last = row.paragraph + 1 == len(self._paragraph_starts)
        return (
            end
            if not last and row.kind is RowKind.TEXT and self._paragraph_starts[row.paragraph + 1] - 1 == end
            else None
        )

    def opens_turn(self, index: int) -> bool:
        """Whether row `index` is the first of a turn, the one that carries the speaker's label."""
        return index == 0 or self.rows[index - 1].kind is RowKind.GAP

    def end_of(self, index: int) -> Location:
        """The location behind the last character of row `index`; for a row without text, of the text above it."""
        while index and self.rows[index].kind is not RowKind.TEXT:
            index -= 1
        row = self.rows[index]
        return row.paragraph, row.offset + len(row.text) if row.kind is RowKind.TEXT else 0

    def span(self, index: int, start: Location, end: Location) -> tuple[int, int]:
        """The part of row `index` between two locations, as indices into its text; (0, 0) where there is none."""
        row = self.rows[index]
        if row.kind is not RowKind.TEXT or not start[0] <= row.paragraph <= end[0]:
            return 0, 0
        size = len(row.text)
        first = snap(row.text, min(max(start[1] - row.offset, 0), size)) if row.paragraph == start[0] else 0
        last = snap(row.text, min(max(end[1] - row.offset, 0), size)) if row.paragraph == end[0] else size
        return (first, last) if first < last else (0, 0)

    def between(self, start: Location, end: Location) -> str:
        """The text between two locations as generated: turns apart by an empty line, no labels, no status lines."""
        return "".join(self._pieces(start, end))

    def _pieces(self, start: Location, end: Location) -> Iterator[str]:
        began = False
        for index in range(self.find((start[0], RowKind.TEXT, 0)), len(self.rows)):
            row = self.rows[index]
            if row.paragraph > end[0]:
                return
            if row.kind is RowKind.GAP and row.paragraph < end[0]:
                yield "\n"
            if row.kind is RowKind.TEXT:
                if row.offset == 0 and began:
                    yield "\n"
                began = True
                first, last = self.span(index, start, end)
                yield row.text[first:last]

    def plain_text(self) -> str:
        """The whole conversation, as `between` gives it."""
        return self.between((0, 0), self.end_of(len(self.rows) - 1)) if self.rows else ""

    def last_replies(self) -> list[str]:
        """The texts with which the model replied to the last prompt, finished or not, without those that are empty."""
        if not self._replies:
            return []
        starts = [self.find((paragraph, RowKind.TEXT, 0)) for paragraph in self._replies]
        last = next(index for index in reversed(range(len(self.rows))) if self.rows[index].role == "model")
        ends = [self.end_of(row) for row in (*(start - 1 for start in starts[1:]), last)]
        texts = (self.between((paragraph, 0), end) for paragraph, end in zip(self._replies, ends, strict=True))
        return [text for text in texts if text]
