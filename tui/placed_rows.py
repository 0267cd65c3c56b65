"""Rows written so that text of doubtful width moves nothing beside it, and nothing in them is obeyed.

Terminals do not agree how many cells an emoji with a variation selector, a joined emoji, a flag or a vowel sign of
Devanagari takes, and none of them need agree with rich, by whose widths Textual lays out. Textual writes a row from
left to right and trusts the cursor to be where rich's widths have put it. Here

- what stands behind such text is placed by an absolute movement of the cursor: the next widget, the frame of its own
  widget, the next column (whatever begins with two blanks or a line of a frame);
- its cells are emptied before it is written, since it may be narrower than they are;
- the rest of the row is written again, since it may be wider.

Such text itself flows as the terminal has it, so that no letter is written over another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console
from rich.control import Control
from rich.segment import Segment
from textual._compositor import ChopsUpdate, Compositor, CompositorUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from ..data.storage.printable import visible
from .text.wrapping import ZERO_WIDTH_JOINER, most_cells

_ONE_CELL = (
    " -~\xa0-\xac\xae-\u02ff\u0370-\u0482\u048a-\u052f\u1e00-\u1fff"  # Latin, Greek, Cyrillic
    "\u2010-\u2027\u2030-\u205e\u2070-\u20c0\u2190-\u22ff"  # punctuation, currencies, arrows, mathematics
    "\u2400-\u2426\u2500-\u25fc\u2800-\u28ff\ufffd"  # symbols of controls, frames and blocks, braille
)
"""The characters that take one cell in every terminal, as the inside of a regular expression's brackets."""

_DOUBTFUL = re.compile(f"[^{_ONE_CELL}]")


class _Piece(NamedTuple):
    x: int
    y: int
    strip: Strip


class PlacedUpdate(CompositorUpdate):
    """Strips, each with its place on the screen."""

    def __init__(self, pieces: Iterable[_Piece]) -> None:
        self._pieces = list(pieces)

    def render_segments(self, console: Console) -> str:
        """What a terminal is sent."""
        return "".join(text for piece in self._pieces for text in _render(piece, console))


def placed(update: CompositorUpdate, compositor: Compositor) -> CompositorUpdate:
    """`update`, a whole screen or parts of it as Textual writes them, with all that belongs to its doubtful rows."""
    if isinstance(update, LayoutUpdate):
        return PlacedUpdate(_whole_rows(update))
    if isinstance(update, ChopsUpdate):
        pieces = list(_changed_parts(update))
        doubtful = {piece.y for piece in pieces if is_doubtful(piece.strip)}
        if doubtful:
            pieces = [piece for piece in pieces if piece.y not in doubtful] + list(_rows(compositor, doubtful))
        return PlacedUpdate(pieces)
    return update


def is_doubtful(strip: Strip) -> bool:
    """Whether a terminal may see a width in it that is not rich's, or a control."""
    return any(not _is_plain(segment.text) for segment in strip)


def _is_plain(text: str) -> bool:
    return (text.isascii() and text.isprintable()) or not _DOUBTFUL.search(text)


def _whole_rows(update: LayoutUpdate) -> Iterator[_Piece]:
    for y, strips in enumerate(update.strips, update.region.y):
        x = update.region.x
        for strip in strips:
            yield _Piece(x, y, strip)
            x += strip.cell_length


def _changed_parts(update: ChopsUpdate) -> Iterator[_Piece]:
    """The parts of strips within the spans that have changed."""
    for y, start, end in update.spans:
        for strip_end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if strip is not None and x < end and strip_end > start:
                yield _Piece(x, y, strip if strip_end <= end else strip.crop(0, end - x))


def _rows(compositor: Compositor, rows: set[int]) -> Iterator[_Piece]:
    """All that stands on these rows of the screen."""
    crop = Region(0, min(rows), compositor.size.width, max(rows) - min(rows) + 1)
    chops = compositor._render_chops(crop, rows.__contains__)  # pyright: ignore[reportPrivateUsage]
    for y in sorted(rows):
        yield from (_Piece(x, y, strip) for x, strip in chops[y].items() if strip is not None)


def _render(piece: _Piece, console: Console) -> Iterator[str]:
    x, y, strip = piece
    yield _move_to(x, y)
    if not is_doubtful(strip):
        yield strip.render(console)
        return
    for part in _parts(strip):
        yield _move_to(x + part.column, y)
        if part.emptied:
            yield Strip(part.emptied).render(console)
            yield _move_to(x + part.column, y)
        yield Strip(_without_joiners(part) if part.may_end_in_joiner else part.written).render(console)


def _without_joiners(part: _Part) -> Iterator[Segment]:
    """A joiner that nothing follows would join with what is placed behind it, and a frame be lost."""
    for text, style, _ in part.written:
        yield Segment(text.replace(ZERO_WIDTH_JOINER, ""), style)


def _move_to(x: int, y: int) -> str:
    return Control.move_to(x, y).segment.text


class _Part(NamedTuple):
    """A part of a strip that is placed by itself."""

    column: int
    written: list[Segment]
    emptied: list[Segment]
    """Blanks in the place of doubtful text, and the gap behind it; they are written before it."""

    @property
    def may_end_in_joiner(self) -> bool:
        """Whether it does, or can be cut off there, since some terminal has no room for all of it."""
        most = sum(most_cells(segment.text) for segment in self.written)
        room = sum(segment.cell_length for segment in self.emptied)
        return bool(room) and (most > room or self.written[-1].text.endswith(ZERO_WIDTH_JOINER))


def _parts(strip: Strip) -> Iterator[_Part]:
    """The parts of a strip: one begins with each doubtful text, and one where what is behind that can be placed."""
    part, state, segment_column = _Part(0, [], []), "sure", 0
    for text, style, _ in strip:
        start = begun = 0
        while start < len(text):
            found = _NEXT[state].search(text, begun if state == "doubtful" else start)
            end = found.start() if found else len(text)
            piece = Segment(visible(text[start:end]), style)
            if piece.text and state != "gap":
                part.written.append(piece)
            if piece.text and state != "sure":
                part.emptied.append(Segment(" " * cell_len(text[start:end]), style))
            if found and state == "doubtful" and found.group().isspace():
                state = "gap"
            elif found:
                if part.written:
                    yield part
                part = _Part(segment_column + cell_len(text[:end]), [], [])
                state, begun = "doubtful" if state == "sure" else "sure", found.end()
            start = end
        segment_column += cell_len(text)
    if part.written:
        yield part


_NEXT = {
    "sure": re.compile(f"(?s).?[^{_ONE_CELL}]"),  # with the character before, to which a mark belongs
    "doubtful": re.compile(" {2,}|(?<=…) +|[\u2500-\u259f]"),  # a gap, or a frame
    "gap": re.compile("[^ ]"),
}
"""What ends a part: text of doubtful width, a place to go on from behind such text, the end of a gap."""
