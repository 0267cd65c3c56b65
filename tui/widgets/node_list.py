"""The nodes of a tree of texts, one row each, with a cursor. Only the rows in view are read and painted."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from ...data.storage.printable import is_plain, visible
from ...engine.sessions.tree import Node
from ..text import formatting
from ..text.wrapping import clusters, most_cells
from ..tree_rows import TreeRow

_WHO = {"person": "you", "model": "gpt", "note": "·", "both": "both"}
_INFO = 17  # cells at the right: mean loss, number among the siblings, bookmark
_DEEPEST = 8  # side branches that are told apart by their indentation
_AT_ONCE = 0.008  # seconds for the losses of rows before the next frame
_BLANKS = str.maketrans(" \t", "␣␉")
_LONGEST = 600  # characters of a node that are read for a row


class NodeList(ScrollView, can_focus=True):
    """Posts Chosen when Enter or a click asks for a node."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "Next row", show=False),
        Binding("up,k", "move(-1)", "Previous row", show=False),
        Binding("left,h", "parent", "To the parent", show=False),
        Binding("right,l", "child", "To the text that follows", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("home,g", "end(0)", "First row", show=False),
        Binding("end,G", "end(-1)", "Last row", show=False),
        Binding("enter", "choose", "Go there", show=False),
    ]
    DEFAULT_CSS = """
    NodeList {
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
        """A node is asked for."""

        node: Node

    def __init__(self, loss_of: Callable[[Node], float | None], *, id: str | None = None) -> None:
        """`loss_of` tells the mean loss of a node's tokens, None where it is not known."""
        super().__init__(id=id)
        self._loss_of = loss_of
        self._losses: dict[int, float | None] = {}
        self._wanted: list[Node] = []  # in view, without their losses
        self._rows: Sequence[TreeRow] = []
        self._places: dict[int, int] = {}

    def show(self, rows: Sequence[TreeRow], node: int | None) -> None:
        """Show these rows, with the cursor on a node."""
        self._rows = rows
        self._places = {row.node.id: number for number, row in enumerate(rows)}
        self.virtual_size = Size(self.scrollable_content_region.width, len(rows))
        self.move_to(node)
        self.refresh()

    @property
    def node(self) -> Node | None:
        """The node under the cursor."""
        return self._rows[self.cursor].node if self._rows else None

    def move_to(self, node: int | None) -> None:
        """Put the cursor on a node where it has a row, else on the nearest row."""
        if node is not None and node in self._places:
            self.cursor = self._places[node]
        self.cursor = max(0, min(self.cursor, len(self._rows) - 1))
        self._reveal()

    # --- the cursor -----------------------------------------------------------------------------

    def watch_cursor(self) -> None:
        self._reveal()

    def _reveal(self) -> None:
        self.scroll_to_region(Region(0, self.cursor, 1, 1), animate=False)
        self.refresh()

    def action_move(self, rows: int) -> None:
        """Move the cursor down, or up."""
        self.cursor = max(0, min(self.cursor + rows, len(self._rows) - 1))

    def action_page(self, pages: int) -> None:
        """Move the cursor by pages of the view."""
        self.action_move(pages * max(1, self.size.height - 1))

    def action_end(self, which: int) -> None:
        """To the first row, or the last."""
        self.cursor = max(0, len(self._rows) - 1) if which else 0

    def action_parent(self) -> None:
        """To what this node follows."""
        if self.node and self.node.parent is not None:
            self.move_to(self.node.parent)

    def action_child(self) -> None:
        """To the flush text that follows this node."""
        if (node := self.node) is None:
            return
        depth = self._rows[self.cursor].depth
        for row in self._rows[self.cursor + 1 :]:
            if row.node.parent == node.id and row.depth == depth:
                self.move_to(row.node.id)
                return

    def action_choose(self) -> None:
        if node := self.node:
            self.post_message(self.Chosen(node))

    def on_click(self, event: events.Click) -> None:
        """Put the cursor there; on the row that has it already, choose it."""
        row = event.y - self.content_region.y + self.region.y + self.scroll_offset.y
        if 0 <= row < len(self._rows):
            if row == self.cursor:
                self.action_choose()
            self.cursor = row

    def on_resize(self, _: events.Resize) -> None:
        self.virtual_size = Size(self.scrollable_content_region.width, len(self._rows))
        self._reveal()

    # --- painting -------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """Paint one row of the view."""
        width, number = self.scrollable_content_region.width, y + self.scroll_offset.y
        ground = self.rich_style
        if number >= len(self._rows):
            return Strip.blank(width, ground)
        row, theme = self._rows[number], self.app.theme_variables
        muted, accent, model = (Style(color=theme[name]) for name in ("text-muted", "accent", "primary"))
        if number == self.cursor:
            ground += Style(bgcolor=theme["block-cursor-background"], color=theme["block-cursor-foreground"])
            muted = accent = model = Style()  # fit for the page, not for this ground
        plain = Style()
        if row.node.deleted:
            plain = muted
        elif row.on_path:
            plain = Style(bold=True)
        label = model if row.node.author == "model" else muted
        place = "●" if row.is_place else "›" if row.on_path else " "
        guides = "│ " * (min(row.depth, _DEEPEST) - 1) + ("├ " if row.begins else "│ ") if row.depth else ""
        head = [
            Segment("▸" if number == self.cursor else " ", ground),
            Segment(f"{place} ", ground + accent),
            Segment(f"{_WHO[row.node.author]:<5}", ground + label),
            Segment(guides, ground + muted),
        ]
        room = width - _INFO - sum(segment.cell_length for segment in head)
        words = _fitting(_first_words(row.node), room)
        tail = [
            Segment(words, ground + plain),
            Segment(" " * max(0, room - cell_len(words)), ground),
            Segment(self._info(row), ground + muted),
            Segment("★" if row.node.bookmarked else " ", ground + accent),
        ]
        return Strip([*head, *tail]).adjust_cell_length(width, ground)

    def _info(self, row: TreeRow) -> str:
        """The mean loss of a node and its number among its siblings, or that it is deleted."""
        if row.node.deleted:
            return f"{'deleted':>{_INFO - 2}} "
        place = f"{row.number}/{row.siblings}" if row.siblings > 1 and row.node.parent is not None else ""
        return f"{self._loss(row.node):>7}{place:>{_INFO - 9}} "

    def _loss(self, node: Node) -> str:
        if node.author in ("person", "note") or not node.reason:
            return ""
        if node.id not in self._losses:
            if not self._wanted:
                self.call_after_refresh(self._read_losses)
            self._wanted.append(node)
            return ""
        loss = self._losses[node.id]
        return "" if loss is None else formatting.loss(loss)

    def _read_losses(self) -> None:
        """Of some rows in view: reading those of a long text takes longer than a frame."""
        until = time.monotonic() + _AT_ONCE
        while self._wanted:
            node = self._wanted.pop()
            self._losses[node.id] = self._loss_of(node)
            if time.monotonic() > until:
                break
        self._wanted.clear()  # what is still in view is wanted again
        self.refresh()


def _fitting(text: str, cells: int) -> str:
    """As much of a line as fits, also where a terminal counts each part of a joined emoji; the rest is an ellipsis."""
    if is_plain(text):
        return text if len(text) <= cells else f"{text[: cells - 1]}…"
    used = end = 0
    for start, stop in clusters(text):
        used += most_cells(text[start:stop])
        if used > cells:
            return f"{text[:end]}…"
        if used < cells:
            end = stop
    return text


def _first_words(node: Node) -> str:
    """How a node begins, in one line; of one without letters, its blanks and line breaks as symbols."""
    begin = node.begin(_LONGEST)
    return formatting.one_line(begin) or visible(begin).translate(_BLANKS) or "(nothing yet)"
