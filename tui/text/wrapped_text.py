"""The rows of a text that is edited, as `wrap` breaks it; an edit wraps again only the rows whose breaks it moves."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from .wrapping import wrap

_BEFORE = 2
"""Rows before an edit that are wrapped again: a word that became shorter may fit into the row above."""

ROWS_AT_ONCE = 120
"""Rows an edit wraps at most; what it moves further on in a paragraph of tens of thousands of characters waits."""

_CHUNK = 256
_LARGEST_CHUNK = 4096  # a chunk with a wide character or a mark in it takes longer


class ChangedRows(NamedTuple):
    """The rows that an edit may have changed: from `first` up to `end`; all from `first` on where rows moved."""

    first: int
    end: int


class WrappedText:
    r"""A text and where each of its rows begins. A row ends behind its \n, or where the next one begins.

    An edit in one endless paragraph could move every break up to its end. So the rows far behind the edit keep their
    old breaks for the moment, with which they are as good a layout; only one row, where new and old breaks meet, is
    shorter than it could be. `settle` moves that row on.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self.text = ""
        self.starts = [0]
        self.wrapped_characters = 0
        """How many characters were wrapped so far, again or for the first time: the cost of the layout."""
        self._short: list[int] = []
        """The beginnings of the rows in which new and old breaks meet."""

    # --- rows -----------------------------------------------------------------------------------

    @property
    def row_count(self) -> int:
        """At least one: an empty text has an empty row, as has what follows a last line break."""
        return len(self.starts)

    def row_of(self, offset: int) -> int:
        """The row with the character at `offset`."""
        return max(0, bisect_right(self.starts, offset) - 1)

    def row_end(self, row: int) -> int:
        """The offset behind the last character of a row, its line break not counted."""
        end = self.starts[row + 1] if row + 1 < len(self.starts) else len(self.text)
        return end - 1 if end > self.starts[row] and self.text[end - 1] == "\n" else end

    def row_text(self, row: int) -> str:
        """What a row shows."""
        return self.text[self.starts[row] : self.row_end(row)]

    def begins_paragraph(self, row: int) -> bool:
        """Whether a row begins behind a line break, or the text with it."""
        return row == 0 or self.text[self.starts[row] - 1] == "\n"

    # --- edits ----------------------------------------------------------------------------------

    def replace(self, start: int, end: int, text: str) -> ChangedRows:
        """Put `text` in the place of the characters from `start` up to `end`."""
        first = self.row_of(start)
        for _ in range(_BEFORE):
            if not self.begins_paragraph(first):
                first -= 1
        change = len(text) - (end - start)
        behind = bisect_left(self.starts, end, first + 1)
        kept = [offset + change for offset in self.starts[behind:]] if change else self.starts[behind:]
        self._short = [offset + change if offset >= end else offset for offset in self._short
                       if offset < start or offset >= end]  # fmt: skip
        self.text = self.text[:start] + text + self.text[end:]
        return self._wrap(first, kept, start + len(text))

    def rewrap(self, width: int) -> None:
        """Wrap everything again at another width."""
        self.width = width
        self.starts = [0, *self._starts_after(0, _LARGEST_CHUNK)]
        self._short.clear()

    @property
    def is_settled(self) -> bool:
        """Whether all rows are as `wrap` breaks them."""
        return not self._short

    def settle(self) -> ChangedRows:
        """Go on with what an edit left to be done, for `ROWS_AT_ONCE` rows."""
        offset = self._short.pop(0)
        row = bisect_left(self.starts, offset)
        if row == len(self.starts) or self.starts[row] != offset:
            return ChangedRows(self.row_count, self.row_count)  # wrapped again since, by another edit
        return self._wrap(row, self.starts[row + 1 :], offset)

    def _wrap(self, first: int, kept: list[int], edited: int) -> ChangedRows:
        """Wrap from row `first` on, at least up to `edited`, until a break is one of those `kept` behind it."""
        rows: list[int] = []
        old = 0  # of `kept`, the first that lies behind the new rows
        for start in self._starts_after(self.starts[first]):
            old = bisect_left(kept, start, old)
            if old < len(kept) and kept[old] == start:
                break
            rows.append(start)
            if len(rows) >= ROWS_AT_ONCE and start >= edited and old < len(kept):
                self._short.append(start)
                break
        else:
            old = len(kept)
        count = self.row_count
        self.starts[first + 1 :] = rows + kept[old:]
        return ChangedRows(first, first + 1 + len(rows) if self.row_count == count else max(count, self.row_count))

    def _starts_after(self, position: int, chunk: int = _CHUNK) -> Iterator[int]:
        """The beginnings of the rows behind the one at `position`, to the end of the text.

        A break depends on nothing that comes later than the row behind it. So a paragraph may be wrapped in chunks,
        each from the beginning of the last row of the one before.
        """
        text, size = self.text, chunk
        while position < len(text):
            line_break = text.find("\n", position)
            line_end = len(text) if line_break < 0 else line_break
            end = min(line_end, position + size)
            *rows, last = wrap(text[position:end], self.width)
            self.wrapped_characters += end - position
            for row in rows:
                position += len(row)
                yield position
            if end < line_end:
                size = min(2 * size, max(size, _LARGEST_CHUNK)) if rows else 2 * size
                continue
            position += len(last)
            if line_break >= 0:
                position += 1
                yield position
            size = chunk
