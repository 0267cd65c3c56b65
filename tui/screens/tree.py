"""The tree of a session: every text that was written in it, and the way to each of them."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, log

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, Static

from ...data.storage.errors import EXPECTED, sentence_of
from ...engine.sessions.session_text import SessionText
from ...engine.sessions.tree import Node
from ..text import formatting
from ..tree_rows import TreeRow, tree_rows
from ..widgets.node_list import NodeList
from ..widgets.text_input import TextInput
from .box import Box

_KEYS = "Enter goes there · b bookmark · B next · d delete · m merge · / search · Esc closes"
_SHORT_KEYS = "Enter go · b mark · d delete · m merge · / · Esc"


class TreeScreen(Box[int | None]):
    """Dismissed with the id of the node whose text is wanted, or None. Marks and merges are made at once."""

    BINDINGS = [
        Binding("escape", "close", "Close"),
        Binding("q", "close", "Close"),
        Binding("b", "bookmark", "Bookmark"),
        Binding("B", "next_bookmark", "Next bookmark"),
        Binding("d,delete", "delete", "Delete or restore"),
        Binding("m", "merge", "Merge into the parent"),
        Binding("u,ctrl+u", "undo", "Undo"),
        Binding("slash", "search", "Search"),
        Binding("n", "next(1)", "Next found"),
        Binding("N", "next(-1)", "Previous found"),
    ]
    CSS_PATH = "../styles/tree.tcss"
    AUTO_FOCUS = "#tree-nodes"

    def __init__(self, text: SessionText) -> None:
        super().__init__()
        self._text = text
        self._rows: list[TreeRow] = []
        self._words = ""  # that are searched

    def compose(self) -> ComposeResult:
        with Vertical(id="tree") as box:
            box.border_title = "tree"
            with Horizontal(id="tree-heading"):
                yield Static("   who  text")
                yield Static("   loss sibling   ", id="tree-figures")
            yield NodeList(self._mean_loss, id="tree-nodes")
            yield TextInput(placeholder="search in the texts of this tree", id="tree-search", compact=True)

    def on_mount(self) -> None:
        """Show all of it, with the cursor where the person is."""
        self._search_field.display = False
        self._show(self._text.leaf)

    def on_resize(self) -> None:
        """Name the keys that the width has room for."""
        self._box.border_subtitle = Content(_KEYS if self.app.size.width >= 90 else _SHORT_KEYS)

    @property
    def _box(self) -> Vertical:
        return self.query_one("#tree", Vertical)

    @property
    def _list(self) -> NodeList:
        return self.query_one("#tree-nodes", NodeList)

    @property
    def _search_field(self) -> Input:
        return self.query_one("#tree-search", Input)

    def _show(self, node: int | None) -> None:
        self._rows = tree_rows(self._text)
        self._list.show(self._rows, node)
        count = f"{len(self._rows):,} node{'s' if len(self._rows) != 1 else ''}"
        self._box.border_title = Content(f"tree · {count}")

    def _mean_loss(self, node: Node) -> float | None:
        known = [record.probability for record in self._text.records(node) if record.known]
        if not known:
            return None
        return sum(-log(p) if p > 0 else inf for p in known) / len(known)

    # --- actions --------------------------------------------------------------------------------

    @on(NodeList.Chosen)
    def _chosen(self, event: NodeList.Chosen) -> None:
        event.stop()
        if event.node.deleted:
            self.notify("This node is deleted; d brings it back.", markup=False)
        else:
            self.dismiss(event.node.id)

    def action_close(self) -> None:
        """Close the field of the search, else the box."""
        if self._search_field.display:
            self._close_field()
        else:
            self.dismiss(None)

    def action_bookmark(self) -> None:
        self._act(lambda node: self._text.mark(node, bookmarked=not node.bookmarked))

    def action_next_bookmark(self) -> None:
        """Go to the next node with a bookmark, from the last one to the first."""
        marked = [number for number, row in enumerate(self._rows) if row.node.bookmarked]
        if marked:
            later = [number for number in marked if number > self._list.cursor]
            self._list.cursor = (later or marked)[0]

    def action_delete(self) -> None:
        self._act(lambda node: self._text.mark(node, deleted=not node.deleted))

    def action_merge(self) -> None:
        self._act(self._text.merge)

    def action_undo(self) -> None:
        self._act(lambda _: self._text.undo())

    def _act(self, change: Callable[[Node], object]) -> None:
        if (node := self._list.node) is None:
            return
        try:
            change(node)
        except EXPECTED as error:
            self.notify(formatting.one_line(sentence_of(error)), severity="warning", markup=False)
        self._show(node.id)

    # --- search ---------------------------------------------------------------------------------

    def action_search(self) -> None:
        self._search_field.value, self._search_field.display = self._words, True
        self._search_field.focus()

    def _close_field(self) -> None:
        self._search_field.display = False
        self._list.focus()

    @on(Input.Submitted, "#tree-search")
    def _searched(self, event: Input.Submitted) -> None:
        event.stop()
        self._words = event.value
        self._close_field()
        self.action_next(1)

    def action_next(self, step: int) -> None:
        """Go to the next node with the words that were searched, or to the one before."""
        words = self._words.casefold()
        found = [number for number, row in enumerate(self._rows) if words and words in row.node.text.casefold()]
        if not found:
            if words:
                self.notify(f"Nothing was found for '{formatting.one_line(self._words)}'.", markup=False)
            return
        cursor = self._list.cursor
        later = [number for number in found if (number > cursor if step > 0 else number < cursor)]
        target = (later or found)[0 if step > 0 else -1]
        self._list.cursor = target
        self._box.border_title = Content(
            f"tree · {found.index(target) + 1} of {len(found)} found: {formatting.one_line(self._words)}"
        )
