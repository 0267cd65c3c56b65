"""The siblings panel: the continuations that were written at one place, one a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from ..text import formatting
from .facts import DIM


@dataclass(frozen=True)
class Sibling:
    """One of the continuations at a place."""

    node: int
    words: str  # with which it begins
    loss: float | None = None  # mean, in nats per token
    by: str = ""  # by what it was written, where that differs from the others


class SiblingsPanel(Vertical):
    """The siblings, up to six rows in view, the one in the text marked. Enter or a click on one posts `Chosen`."""

    DEFAULT_CSS = """
    SiblingsPanel {
        height: auto;
        min-height: 4;
        padding: 0 1;
        border: round $border-blurred;
        border-title-color: $text-muted;
        border-subtitle-color: $text-muted;
        &:focus-within { border: round $border; border-title-color: $text; }
        & > Static { height: auto; }
        & > OptionList {
            height: auto; max-height: 6; border: none; padding: 0; background: transparent;
            scrollbar-size-vertical: 1;
            &:focus { border: none; background-tint: transparent; }
            & > .option-list--option { padding: 0; }
        }
    }
    """
    BORDER_TITLE = "siblings"

    @dataclass
    class Chosen(Message):
        """The person wants to go on with this one."""

        node: int

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._empty = Static(Content.styled("nothing was written at this place yet", DIM))
        self._list = OptionList(markup=False)
        self._siblings: Sequence[Sibling] = ()
        self._current: int | None = None

    def compose(self) -> ComposeResult:
        yield self._empty
        yield self._list

    def on_mount(self) -> None:
        self._write()

    def on_resize(self) -> None:
        """Cut the words for the new width."""
        self._write()

    def show(self, siblings: Sequence[Sibling], current: int | None) -> None:
        """Show these, of which `current` is the node in the text."""
        if (siblings, current) != (self._siblings, self._current):
            self._siblings, self._current = siblings, current
            self._write()

    def _write(self) -> None:
        width = self.content_size.width
        self._empty.display, self._list.display = not self._siblings, bool(self._siblings)
        self._list.clear_options()
        if width <= 0:
            return
        self._list.add_options(
            [
                Option(_row(number, sibling, sibling.node == self._current, width), id=str(sibling.node))
                for number, sibling in enumerate(self._siblings, 1)
            ]
        )
        nodes = [sibling.node for sibling in self._siblings]
        if self._current in nodes:
            self._list.highlighted = nodes.index(self._current)

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
