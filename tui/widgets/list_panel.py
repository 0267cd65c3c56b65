"""A panel with a list that is as high as its rows, or scrolls, and words above it or in its place."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.layout import Layout
from textual.widgets import OptionList, Static

from .shared_height import SharedHeight


class ListPanel(Vertical):
    """`words` above `list`; what they show depends on the width, so `write` is called for each new one."""

    DEFAULT_CSS = """
    ListPanel {
        height: auto;
        padding: 0 0 0 1;
        border: round $border-blurred;
        border-title-color: $text-muted;
        border-subtitle-color: $text-muted;
        &:focus-within { border: round $border; border-title-color: $text; }
        & > Static { height: auto; padding: 0 1 0 0; }
        & > OptionList {
            height: auto; border: none; padding: 0; background: transparent;
            scrollbar-size-vertical: 1;
            &:focus { border: none; background-tint: transparent; }
            & > .option-list--option { padding: 0; }
        }
    }
    """

    least_height: ClassVar[int] = 4
    """Rows that the panel needs."""

    def __init__(self, words: Content | str = "", *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.words = Static(words, markup=False)
        self.list = OptionList(markup=False)
        self._layout = SharedHeight({self.list: 1})

    @property
    def layout(self) -> Layout:
        """The list scrolls where its rows do not fit below the words."""
        return self._layout

    @property
    def row_width(self) -> int:
        """Cells of a row, beside which there is room for the bar of a list that scrolls."""
        return self.content_size.width - 1

    def compose(self) -> ComposeResult:
        yield self.words
        yield self.list

    def on_mount(self) -> None:
        self.write()

    def on_resize(self) -> None:
        """Fit what is shown to the new width."""
        self.write()

    @abstractmethod
    def write(self) -> None:
        """Write words and list for the width that there is."""
