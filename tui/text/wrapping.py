"""Text to rows of terminal cells: greedy word wrap that loses no character and never shows a control character.

The text comes from a model, a person or a file, so nothing in it is trusted: it is never markup, control characters
become visible symbols, and a glyph has a limited number of marks. A row is as wide as the most generous terminal has
it, so that it fits in each; what is painted is measured by Rich, as Textual does, and is never wider.

Incremental layout needs two invariants: `"".join(wrap(text, width)) == text`, and the break before a row depends on
nothing that comes later than that row, so wrapping a text piece by piece (each time from the start of the last row)
gives the rows of wrapping it whole.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from rich.cells import get_character_cell_size

from ...data.storage.printable import visible

TAB = 4
"""Cells between tab stops."""

MAX_CLUSTER = 32
"""Characters one glyph may consist of; more marks than that start a new one."""

_SIMPLE = re.compile(
    "[ -~\u00a0-\u00ac\u00ae-\u02ff\u038e-\u03a1\u03a3-\u0482\u048a-\u052f\u05d0-\u05ea\u0620-\u064a\u10d0-\u10ff"
    "\u1e00-\u1f15\u2010-\u2027\u2030-\u205e\u20a0-\u20bf]*"
)
"""Most of what is written with letters: no wide character, no mark, no control."""

ZERO_WIDTH_JOINER = "\u200d"
EMOJI_SELECTOR = "\ufe0f"


def tab_cells(column: int, width: int) -> int:
    """Cells that a tab at `column` takes: up to the next stop, but not past the edge of a row of `width` cells."""
    return min(TAB - column % TAB, max(1, width - column))


def is_simple(text: str) -> bool:
    """Whether each character of `text` is known to be a glyph of one cell, which is shown as it is."""
    return (text.isascii() and text.isprintable()) or _SIMPLE.fullmatch(text) is not None


def clusters(text: str) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of each glyph in `text`: a character with the marks and joined emoji that belong to it."""
    end = 0
    while (start := end) < len(text):
        end = start + 1
        while end < len(text) and end - start < MAX_CLUSTER and _belongs(text[end - 1], text[end]):
            end += 1
        yield start, end


def _belongs(previous: str, character: str) -> bool:
    if previous == "\t" or character in "\t\n":
        return False
    return previous == ZERO_WIDTH_JOINER or get_character_cell_size(character) == 0


@lru_cache(4096)
def most_cells(text: str) -> int:
    """The most cells that a terminal gives a text: some count each part of a joined emoji, and vowel signs."""
    return sum(map(_most_cells, text)) + text.count(EMOJI_SELECTOR)


def _most_cells(character: str) -> int:
    if unicodedata.east_asian_width(character) in "WF":
        return 2
    return max(get_character_cell_size(character), unicodedata.category(character) == "Mc")


def runs(text: str) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of the stretches of `text` whose width is the sum of their characters' widths.

    A tab and a joined emoji each stand alone, since their width is another.
    """
    if is_simple(text):
        yield 0, len(text)
        return
    run_start = 0
    for start, end in clusters(text):
        if text[start] == "\t" or ZERO_WIDTH_JOINER in text[start:end] or EMOJI_SELECTOR in text[start:end]:
            if run_start < start:
                yield run_start, start
            yield start, end
            run_start = end
    if run_start < len(text) or not text:
        yield run_start, len(text)


def snap(text: str, index: int) -> int:
    """`index`, moved to the end of the glyph it would cut in two."""
    if text.isascii() or index <= 0:
        return index
    return next((end for start, end in clusters(text) if start < index < end), index)


def wrap(text: str, width: int) -> list[str]:
    """Break one line of text into rows of at most `width` cells.

    Rows break after a blank, around wide characters, and inside words that are longer than a row. One blank may hang
    over the edge, so that the next row starts with its word; a row is therefore at most one cell longer than `width`.
    """
    return _wrap_simple(text, width) if is_simple(text) else _wrap_glyphs(text, width)


def _wrap_simple(text: str, width: int) -> list[str]:
    rows: list[str] = []
    start, length = 0, len(text)
    while length - start > width:
        edge = start + width
        if text[edge] == " ":
            if edge + 1 == length:
                break
            end = edge + 1
        else:
            end = text.rfind(" ", start, edge) + 1 or edge
        rows.append(text[start:end])
        start = end
    rows.append(text[start:])
    return rows


def _wrap_glyphs(text: str, width: int) -> list[str]:
    rows: list[str] = []
    shown = visible(text)
    start = cells = 0
    break_at = cells_before_break = 0
    for first, end in clusters(shown):
        blank = shown[first] in " \t"
        # A mark without a letter counts as one cell here, or a million of them would make one endless row.
        size = 1 if blank else max(1, most_cells(shown[first:end]))
        # Asked of the first character alone: marks that arrive later must not move a break that was made.
        wide = get_character_cell_size(shown[first]) > 1
        if wide:
            break_at, cells_before_break = first, cells
        while 0 < cells > width - size and not (blank and cells == width):
            cut, used = (break_at, cells_before_break) if break_at > start else (first, cells)
            rows.append(text[start:cut])
            start = cut
            cells -= used
        cells += tab_cells(cells, width) if shown[first] == "\t" else size
        if blank or wide:
            break_at, cells_before_break = end, cells
    rows.append(text[start:])
    return rows
