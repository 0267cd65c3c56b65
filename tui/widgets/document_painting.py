"""One row of the document as segments: the margin, the words in the colours of their author or their probability.

The margin has a mark beside the person's words, so that these are told from the model's without colour as well.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from ...data.storage.printable import visible
from ..text.cursor_places import cells_of, column_of, glyph_after, glyph_start
from ..text.document_text import DocumentText
from ..text.wrapping import is_simple, runs, snap, wrap
from .probability_colours import LINE_BREAK, style_number

MARGIN = 2
"""Cells left of the text."""

Styles = Callable[[str], Style]
"""From the name of a component class, without `document--`, to its style; `selection` is the screen's."""

Range = tuple[int, int]
"""Characters of the text: from the first offset up to the second."""


@dataclass(frozen=True)
class Marks:
    """What is marked in the text; nothing, at first."""

    selection: Range = (0, 0)
    cursor: int | None = None
    token: Range = (0, 0)
    """The token under the cursor, where tokens are coloured."""
    hits: Sequence[int] = ()
    """Where the words that are searched for begin, in order."""
    hit_length: int = 0
    hit: int | None = None
    """That of them which is the current one."""
    differing: Sequence[Range] = ()
    """What differs from another text, in order."""

    def touch(self, start: int, end: int) -> bool:
        """Whether anything from `start` up to `end` is marked; a cursor at `end` counts as well."""
        overlap = any(first <= end and start < last for first, last in (self.selection, self.token))
        return (
            overlap
            or (self.cursor is not None and start <= self.cursor <= end)
            or any(self.hits_between(start, end))
            or any(self.differing_between(start, end))
        )

    def differing_between(self, start: int, end: int) -> Iterator[Range]:
        """What differs and has characters between two offsets."""
        index = max(0, bisect_right(self.differing, start, key=lambda stretch: stretch[0]) - 1)
        while index < len(self.differing) and self.differing[index][0] < end:
            if self.differing[index][1] > start:
                yield self.differing[index]
            index += 1

    def hits_between(self, start: int, end: int) -> Iterator[Range]:
        """The hits that have characters between two offsets."""
        index = max(0, bisect_right(self.hits, start) - 1)
        while index < len(self.hits) and self.hits[index] < end:
            if self.hits[index] + self.hit_length > start:
                yield self.hits[index], self.hits[index] + self.hit_length
            index += 1


def paint_row(
    document: DocumentText, row: int, width: int, styles: Styles, shades: Sequence[Style] | None, marks: Marks
) -> Strip:
    """Row `row` as a strip of `width` cells; with `shades`, tokens are in the style of their probability."""
    rows, cursor = document.rows, marks.cursor
    begin, end = rows.starts[row], rows.row_end(row)
    if cursor == end and column_of(rows, end) > rows.width:
        marks = replace(marks, cursor=end - 1)  # no cell is left behind the blank that hangs over the edge
    elif cursor is not None and begin < cursor < end:
        marks = replace(marks, cursor=glyph_start(rows, cursor))  # it may stand inside a glyph that is being typed
    segments = [_margin(document, row, styles), *_words(document, row, styles, shades, marks)]
    empty = width - sum(segment.cell_length for segment in segments)
    if empty > 0:
        segments.append(Segment(" " * empty, styles("model")))
    return Strip(segments, width) if empty >= 0 else Strip(segments).crop(0, width)


def paint_placeholder(text: str, row: int, width: int, styles: Styles) -> Strip:
    """A row of an empty document: what could be done, with the cursor on its first character."""
    rows = wrap(text, max(1, width - MARGIN - 1))
    if row >= len(rows):
        return Strip.blank(width, styles("model"))
    first, dim = 1 if row == 0 else 0, styles("placeholder")
    segments = [
        Segment(" " * MARGIN), Segment(rows[row][:first], dim + styles("cursor")), Segment(rows[row][first:], dim)
    ]  # fmt: skip
    return Strip(segments).adjust_cell_length(width, styles("model"))


def _margin(document: DocumentText, row: int, styles: Styles) -> Segment:
    start, end = document.rows.starts[row], max(document.rows.row_end(row), document.rows.starts[row] + 1)
    by_person = any(stretch.value == "person" for stretch in document.authors.between(start, end))
    return Segment(("▌" if by_person else "").ljust(MARGIN), styles("margin"))


def _words(
    document: DocumentText, row: int, styles: Styles, shades: Sequence[Style] | None, marks: Marks
) -> Iterator[Segment]:
    rows = document.rows
    begin, end = rows.starts[row], rows.row_end(row)
    text, column = rows.text[begin:end], 0
    ends_line = end < len(rows.text) and rows.text[end] == "\n"
    is_marked, simple = marks.touch(begin, end), is_simple(text)
    looks = _looks(document, begin, end, styles, shades)
    cuts = [snap(text, offset - begin) for offset, _ in looks]
    number = 0  # of the look of a piece
    more_cuts = sorted({snap(text, cut - begin) for cut in _cuts(document, begin, end, marks)}) if is_marked else []
    for start, behind in _split(runs(text), sorted({*cuts, *more_cuts}) if is_marked else cuts):
        while number + 1 < len(cuts) and cuts[number + 1] <= start:
            number += 1
        style = looks[number][1]
        piece = text[start:behind]
        if not simple:
            cells = cells_of(piece, column, rows.width)
            piece = " " * cells if piece == "\t" else visible(piece)
            column += cells
        yield Segment(piece, _marked(style, begin + start, styles, marks) if is_marked else style)
    token = document.probabilities.token_at(end) if ends_line and shades else None
    if token is not None and shades:
        yield Segment(LINE_BREAK, _marked(shades[style_number(token.probability)], end, styles, marks))
    elif marks.cursor == end and (ends_line or end == len(rows.text)):
        yield Segment(" ", styles("model") + styles("cursor"))
    elif ends_line and marks.selection[0] <= end < marks.selection[1]:
        yield Segment(" ", styles("selection"))


def _looks(
    document: DocumentText, begin: int, end: int, styles: Styles, shades: Sequence[Style] | None
) -> list[tuple[int, Style]]:
    """The styles of the words between two offsets, each with where it begins."""

    def by_author(begin: int, end: int) -> list[tuple[int, Style]]:
        return [(max(begin, part.start), styles(part.value)) for part in document.authors.between(begin, end)]

    if not shades:
        return by_author(begin, end)
    looks: list[tuple[int, Style]] = []
    for token in document.probabilities.between(begin, end):
        if token.value is None:
            looks += by_author(max(begin, token.start), min(token.end, end))
        else:
            looks.append((max(begin, token.start), shades[style_number(token.value)]))
    return looks


def _cuts(document: DocumentText, begin: int, end: int, marks: Marks) -> Iterator[int]:
    """Where a mark begins or ends between two offsets."""
    cuts = [*marks.selection, *marks.token]
    for stretch in (*marks.hits_between(begin, end), *marks.differing_between(begin, end)):
        cuts += stretch
    if marks.cursor is not None and begin <= marks.cursor < end:
        cuts += (marks.cursor, glyph_after(document.rows, marks.cursor))
    return (cut for cut in cuts if begin < cut < end)


def _split(parts: Iterator[tuple[int, int]], cuts: list[int]) -> Iterator[tuple[int, int]]:
    """The same stretches, cut in two where one of `cuts` lies inside; `cuts` are sorted."""
    index = 0
    for start, end in parts:
        while index < len(cuts) and cuts[index] < end:
            if start < cuts[index]:
                yield start, cuts[index]
                start = cuts[index]
            index += 1
        if start < end:
            yield start, end


def _marked(style: Style, offset: int, styles: Styles, marks: Marks) -> Style:
    """A style, with that of whatever is marked at `offset`."""
    if any(marks.differing_between(offset, offset + 1)):
        style += styles("differing")
    if marks.token[0] <= offset < marks.token[1]:
        style += styles("token")
    for start, _ in marks.hits_between(offset, offset + 1):
        style += styles("hit-current" if start == marks.hit else "hit")
    if marks.selection[0] <= offset < marks.selection[1]:
        style = styles("selection")
    if offset != marks.cursor:
        return style
    return style + styles("cursor") + Style(reverse=False) if style.reverse else style + styles("cursor")
