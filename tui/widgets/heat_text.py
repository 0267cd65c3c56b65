"""A text whose tokens are coloured by their probability, with a cursor that moves from token to token."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from ...data.storage.printable import visible
from ...engine.requests import TokenDetail
from ..text.wrapping import snap, wrap
from .probability_colours import probability_styles, style_number

_SHOWN = str.maketrans("\t␊", "␉↵")


class HeatText(ScrollView, can_focus=True):
    """Tokens in rows, as they stand in the text; a token that ends a line shows it. Posts Chosen when the cursor moves.

    The less likely the model found a token, the more it stands out: see probability_colours.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right", "move(1)", "Next token", show=False),
        Binding("left", "move(-1)", "Previous token", show=False),
        Binding("down", "row(1)", "Row below", show=False),
        Binding("up", "row(-1)", "Row above", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("home", "end(0)", "First token", show=False),
        Binding("end", "end(-1)", "Last token", show=False),
    ]
    DEFAULT_CSS = """
    HeatText {
        height: auto;
        scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 0;
        scrollbar-gutter: stable;
        overflow-x: hidden;
        overflow-y: auto;
    }
    """
    cursor: reactive[int] = reactive(0)

    @dataclass
    class Chosen(Message):
        """The cursor is on this token, counted from 0."""

        index: int

    def __init__(self, details: Sequence[TokenDetail] = (), *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows: list[tuple[int, str]] = []  # where in the text each begins, and what it shows
        self._styles: list[Style] = []
        self._take(details)

    def show(self, details: Sequence[TokenDetail]) -> None:
        """Show another text, with the cursor on its first token."""
        self._take(details)
        self._lay_out()
        self.set_reactive(HeatText.cursor, 0)
        self._reveal()

    def _take(self, details: Sequence[TokenDetail]) -> None:
        self._details = details
        self._text, self._starts = "", list[int]()
        pieces, length = list[str](), 0
        for detail in details:
            self._starts.append(length)
            pieces.append(detail.text)
            length += len(detail.text)
        self._text = "".join(pieces)

    # --- rows -----------------------------------------------------------------------------------

    def on_resize(self, _: events.Resize) -> None:
        """Wrap at the new width."""
        self._lay_out()
        self._reveal()

    def _lay_out(self) -> None:
        width = self.scrollable_content_region.width
        self._rows = self._wrapped(width)
        self.virtual_size = Size(width, len(self._rows))
        self.refresh()

    def _wrapped(self, width: int) -> list[tuple[int, str]]:
        rows, start = list[tuple[int, str]](), 0
        for line in _lines(self._text):
            for row in wrap(visible(line).translate(_SHOWN), max(1, width - 1)):  # a blank may hang over the edge
                rows.append((start, row))
                start += len(row)
        return rows

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """The number of rows that the text takes at `width`."""
        return len(self._wrapped(width - self.styles.scrollbar_size_vertical))

    def _row_of(self, offset: int) -> int:
        return max(0, bisect_right(self._rows, offset, key=lambda row: row[0]) - 1)

    def _token_at(self, offset: int) -> int:
        """The token that the character at `offset` belongs to; of tokens without any text, none."""
        return max(0, bisect_right(self._starts, offset) - 1)

    # --- painting -------------------------------------------------------------------------------

    def notify_style_update(self) -> None:
        """Compute the colours again after a change of theme."""
        super().notify_style_update()
        self._styles = []

    def _style(self, index: int) -> Style:
        if not self._styles:
            self._styles = probability_styles(self.app)
        style = self._styles[style_number(self._details[index].probability)]
        return style + Style(reverse=True, bold=True) if index == self.cursor else style

    def render_line(self, y: int) -> Strip:
        """Paint one row of the view: a segment for each of its tokens, which a click chooses."""
        width, y = self.scrollable_content_region.width, y + self.scroll_offset.y
        background = self.rich_style
        if y >= len(self._rows):
            return Strip.blank(width, background)
        start, row = self._rows[y]
        segments, offset = list[Segment](), 0
        while offset < len(row):
            index = self._token_at(start + offset)
            next_start = self._starts[index + 1] - start if index + 1 < len(self._starts) else len(row)
            end = min(len(row), snap(row, max(offset + 1, next_start)))
            style = background + self._style(index) + Style.from_meta({"@click": f"choose({index})"})
            segments.append(Segment(row[offset:end], style))
            offset = end
        return Strip(segments).adjust_cell_length(width, background)

    # --- the cursor -----------------------------------------------------------------------------

    def watch_cursor(self) -> None:
        """Scroll to the cursor and post Chosen."""
        if self._rows:
            self._reveal()

    def _reveal(self) -> None:
        if not self._details:
            return
        row = self._row_of(self._starts[self.cursor])
        self.scroll_to_region(Region(0, row, 1, 1), animate=False)
        self.refresh()
        self.post_message(self.Chosen(self.cursor))

    def action_choose(self, index: int) -> None:
        self.cursor = max(0, min(index, len(self._details) - 1))

    def action_move(self, tokens: int) -> None:
        """Move the cursor by `tokens`, forward or back."""
        self.action_choose(self.cursor + tokens)

    def action_row(self, rows: int) -> None:
        """Move the cursor by `rows`, in the same column."""
        if not self._rows:
            return
        offset = self._starts[self.cursor]
        row = self._row_of(offset)
        start, text = self._rows[max(0, min(row + rows, len(self._rows) - 1))]
        column = min(offset - self._rows[row][0], len(text) - 1)
        self.action_choose(self._token_at(start + column))

    def action_page(self, pages: int) -> None:
        """Move the cursor by `pages` of the view."""
        self.action_row(pages * max(1, self.size.height - 1))

    def action_end(self, which: int) -> None:
        """To the first token, or the last."""
        self.action_choose(len(self._details) - 1 if which else 0)


def _lines(text: str) -> list[str]:
    r"""The text cut behind each \n alone; other line ends are only characters here."""
    parts = text.split("\n")
    return [f"{part}\n" for part in parts[:-1]] + [parts[-1]] * bool(parts[-1])
