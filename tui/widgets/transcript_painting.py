"""One row of the transcript as segments: label, text, selection, the streaming cursor, the welcome.

Each segment carries the location in the text under the mouse (Textual reads it from the style's meta data): the
paragraph and the index in it, not row and column, so that a selection means the same after more text or another width.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from ...data.storage.printable import visible
from ..text.transcript_text import Location, Role, RowKind, TextRow, TranscriptText
from ..text.wrapping import runs, snap, tab_cells, wrap

GUTTER = 6
"""Cells left of the text, for the speaker's label."""

LABELS: dict[Role, str] = {"you": "you", "model": "gpt", "note": "·"}

WELCOME_WIDTH = 66

Hit = tuple[int, int, bool]
"""Part of a row's text in which words were found that are searched for, and whether it is the current one."""

Styles = Callable[[str], Style]
"""From the name of a component class, without `transcript--`, to its style; `selection` is the screen's."""


class PinnedColumn(int):
    """An index that stays as it is when Textual adds cells to it.

    Textual finds the character under the mouse by counting from the start of the segment. A label, a tab and the empty
    cells behind a row have no characters of their own: wherever the mouse is on them, it is at one location.
    """

    def __add__(self, _: int) -> PinnedColumn:
        return self


def _at(location: Location) -> Style:
    paragraph, index = location
    return Style.from_meta({"offset": (index, paragraph)})


def _pinned(location: Location) -> Style:
    paragraph, index = location
    return Style.from_meta({"offset": (PinnedColumn(index), paragraph)})


def paint_row(
    text: TranscriptText,
    index: int,
    width: int,
    styles: Styles,
    selected: tuple[Location, Location] | None,
    hits: Sequence[Hit] = (),
) -> Strip:
    """Row `index` as a strip of `width` cells; beyond the last row, empty cells that belong to its end."""
    behind = _pinned(text.end_of(min(index, len(text.rows) - 1)))
    segments: list[Segment] = []
    if index < len(text.rows):
        row = text.rows[index]
        if row.kind is RowKind.TEXT:
            segments += _text_segments(text, index, row, styles, selected, hits)
        else:
            segments += [_label(text, index, styles), Segment(visible(row.text), styles("status") + behind)]
        if text.open_role == "model" and index == len(text.rows) - 1:
            segments.append(Segment("▌", styles("cursor") + behind))
    return Strip(segments).adjust_cell_length(width, styles("model") + behind)


def _label(text: TranscriptText, index: int, styles: Styles) -> Segment:
    """Who speaks, beside the first row of a turn."""
    row = text.rows[index]
    label = LABELS[row.role] if row.kind is not RowKind.GAP and text.opens_turn(index) else ""
    location = (row.paragraph, row.offset) if row.kind is RowKind.TEXT else text.end_of(index)
    return Segment(label.ljust(GUTTER), styles(f"label-{row.role}") + _pinned(location))


def _text_segments(
    text: TranscriptText,
    index: int,
    row: TextRow,
    styles: Styles,
    selected: tuple[Location, Location] | None,
    hits: Sequence[Hit],
) -> Iterator[Segment]:
    yield _label(text, index, styles)
    first, last = text.span(index, *selected) if selected else (0, 0)
    column = 0
    marks = [(snap(row.text, start), snap(row.text, end), current) for start, end, current in hits]
    cuts = sorted([first, last, *(cut for start, end, _ in marks for cut in (start, end))])
    for start, end in _split(runs(row.text), *cuts):
        style = styles(row.role)
        for mark_start, mark_end, current in marks:
            if mark_start <= start < mark_end:
                style += styles("hit-current" if current else "hit")
        if first <= start < last:
            style = styles("selection")
        location = row.paragraph, row.offset + start
        if row.text[start:end] == "\t":
            segment = Segment(" " * tab_cells(column, text.width), style + _pinned(location))
        else:
            segment = Segment(visible(row.text[start:end]), style + _at(location))
        column += segment.cell_length
        yield segment


def _split(parts: Iterator[tuple[int, int]], *cuts: int) -> Iterator[tuple[int, int]]:
    """The same stretches, cut in two where one of `cuts` lies inside; these are in order."""
    for start, end in parts:
        for cut in cuts:
            if start < cut < end:
                yield start, cut
                start = cut
        yield start, end


def paint_welcome(lines: list[str], width: int, height: int, styles: Styles) -> list[Strip]:
    """`lines` as a block in the middle of the pane: a heading, then sentences and rows of a key and what it does."""
    block = max(8, min(WELCOME_WIDTH, width - 4))
    heading = [Strip([Segment(row, styles("welcome-title"))]) for row in wrap(visible("".join(lines[:1])), block)]
    strips = heading + [strip for line in lines[1:] for strip in _welcome_line(visible(line), block, styles)]
    left = Strip([Segment(" " * ((width - max(strip.cell_length for strip in strips)) // 2))])
    above = [Strip([])] * max(0, (height - len(strips)) * 2 // 5)
    return [
        Strip.join([left, strip]).adjust_cell_length(width, styles("welcome")).apply_style(styles("welcome"))
        for strip in above + strips
    ]


def _welcome_line(line: str, block: int, styles: Styles) -> Iterator[Strip]:
    """Wrap one line; what follows a gap of two or more blanks is a column of its own."""
    key = gap.group() if (gap := re.match(r"\S.*?\s{2,}", line)) else ""
    if len(key) > block // 2:
        key = ""
    for number, row in enumerate(wrap(line[len(key) :], block - len(key))):
        before = Segment(key, styles("welcome-key")) if number == 0 else Segment(" " * len(key))
        yield Strip([before, Segment(row.rstrip(), styles("welcome"))])
