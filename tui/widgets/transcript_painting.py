"""One row of the transcript as segments: label, text, selection, the streaming cursor, the welcome.

Each segment carries the location in the text under the mouse (Textual reads it from the style's meta data): the
paragraph and the index in it, not row and column, so that a selection means the same after more text or another width.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from ...data.storage.printable import visible
from ..text.transcript_text import Location, Role, RowKind, TextRow, TranscriptText
from ..text.wrapping import runs, snap, tab_cells, wrap
from .probability_colours import LINE_BREAK, style_number

GUTTER = 6
"""Cells left of the text, for the speaker's label."""

LABELS: dict[Role, str] = {"you": "you", "model": "gpt", "note": "·"}

WELCOME_WIDTH = 66

Range = tuple[int, int]
"""From the first up to the second."""

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


@dataclass(frozen=True)
class Marks:
    """What is marked in a row beside its words; nothing, at first."""

    selected: tuple[Location, Location] | None = None
    hits: Sequence[tuple[int, int, bool]] = ()
    """Parts of its text in which words were found that are searched for, and whether it is the current one."""
    shades: Sequence[Style] | None = None
    """The styles of probabilities, where tokens are coloured."""
    token: Range = (0, 0)
    """The token that was chosen, as characters of the text's `probabilities`."""


def paint_row(text: TranscriptText, index: int, width: int, styles: Styles, marks: Marks) -> Strip:
    """Row `index` as a strip of `width` cells; beyond the last row, empty cells that belong to its end."""
    behind = _pinned(text.end_of(min(index, len(text.rows) - 1)))
    segments: list[Segment] = []
    if index < len(text.rows):
        row = text.rows[index]
        if row.kind is RowKind.TEXT:
            segments += _text_segments(text, index, row, styles, marks)
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


def _text_segments(text: TranscriptText, index: int, row: TextRow, styles: Styles, marks: Marks) -> Iterator[Segment]:
    yield _label(text, index, styles)
    start_of_row, column = text.offset_of((row.paragraph, row.offset)), 0
    selected = text.span(index, *marks.selected) if marks.selected else (0, 0)
    hits = [(snap(row.text, start), snap(row.text, end), current) for start, end, current in marks.hits]
    cuts = [*selected, *(cut for start, end, _ in hits for cut in (start, end))]
    if marks.shades:
        tokens = text.probabilities.between(start_of_row, start_of_row + len(row.text))
        cuts += (snap(row.text, token.start - start_of_row) for token in tokens)
    for start, end in _split(runs(row.text), sorted(cuts)):
        style = _token_style(text, start_of_row + start, styles, marks) or styles(row.role)
        for hit_start, hit_end, current in hits:
            if hit_start <= start < hit_end:
                style += styles("hit-current" if current else "hit")
        if selected[0] <= start < selected[1]:
            style = styles("selection")
        location = row.paragraph, row.offset + start
        if row.text[start:end] == "\t":
            segment = Segment(" " * tab_cells(column, text.width), style + _pinned(location))
        else:
            segment = Segment(visible(row.text[start:end]), style + _at(location))
        column += segment.cell_length
        yield segment
    line_break = text.line_break_at(index)
    if line_break is not None and (style := _token_style(text, line_break, styles, marks)):
        yield Segment(LINE_BREAK, style + _pinned((row.paragraph, row.offset + len(row.text))))


def _token_style(text: TranscriptText, offset: int, styles: Styles, marks: Marks) -> Style | None:
    """How the token with a character is painted; None where tokens are not coloured, or none is there."""
    token = text.probabilities.token_at(offset) if marks.shades else None
    if token is None or not marks.shades:
        return None
    style = styles("model") + marks.shades[style_number(token.probability)]
    return style + styles("token") if (token.start, token.end) == marks.token else style


def _split(parts: Iterator[tuple[int, int]], cuts: Sequence[int]) -> Iterator[tuple[int, int]]:
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
