"""The siblings panel: the continuations that were written at one place, one a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import on
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from ..text import formatting
from .facts import DIM
from .list_panel import ListPanel


@dataclass(frozen=True)
class Sibling:
    """One of the continuations at a place."""

    node: int
    words: str  # with which it begins
    loss: float | None = None  # mean, in nats per token
    by: str = ""  # by what it was written, where that differs from the others


class SiblingsPanel(ListPanel):
    """The siblings, up to six rows in view, the one in the text marked. Enter or a click on one posts `Chosen`."""

    DEFAULT_CSS = """
    SiblingsPanel {
        min-height: 4;
        & > OptionList { max-height: 6; }
    }
    """
    BORDER_TITLE = "siblings"

    @dataclass
    class Chosen(Message):
        """The person wants to go on with this one."""

        node: int

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(Content.styled("nothing was written at this place yet", DIM), id=id, classes=classes)
        self._siblings: Sequence[Sibling] = ()
        self._current: int | None = None

    def show(self, siblings: Sequence[Sibling], current: int | None) -> None:
        """Show these, of which `current` is the node in the text."""
        if (siblings, current) != (self._siblings, self._current):
            self._siblings, self._current = siblings, current
            self.write()

    def write(self) -> None:
        width = self.row_width
        self.words.display, self.list.display = not self._siblings, bool(self._siblings)
        self.list.clear_options()
        if width <= 0:
            return
        self.list.add_options(
            [
                Option(_row(number, sibling, sibling.node == self._current, width), id=str(sibling.node))
                for number, sibling in enumerate(self._siblings, 1)
            ]
        )
        nodes = [sibling.node for sibling in self._siblings]
        if self._current in nodes:
            self.list.highlighted = nodes.index(self._current)

    @on(OptionList.OptionSelected)
    def _option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if event.option_index < len(self._siblings):
            self.post_message(self.Chosen(self._siblings[event.option_index].node))


def _row(number: int, sibling: Sibling, current: bool, width: int) -> Content:
    """The number, the first words, and at the right the mean loss and by what it was written."""
    mark = f"{'▸' if current else ' '}{number} "
    by = f" {formatting.one_line(sibling.by)}" if sibling.by else ""
    right = f"{by} {formatting.loss(sibling.loss)}" if sibling.loss is not None else by
    room = max(4, width - len(mark) - len(right) - 1)
    words = Content(formatting.one_line(sibling.words) or "nothing").truncate(room, ellipsis=True, pad=True)
    return Content.assemble(
        (mark, "bold" if current else DIM), (words.plain, "bold" if current else ""), " ", (right, DIM)
    )
