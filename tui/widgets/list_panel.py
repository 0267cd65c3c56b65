"""A panel with a list that is as high as its rows, and words above it or in its place."""

from __future__ import annotations

from abc import abstractmethod

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static


class ListPanel(Vertical):
    """`words` above `list`; what they show depends on the width, so `write` is called for each new one."""

    DEFAULT_CSS = """
    ListPanel {
        height: auto;
        padding: 0 1;
        border: round $border-blurred;
        border-title-color: $text-muted;
        border-subtitle-color: $text-muted;
        &:focus-within { border: round $border; border-title-color: $text; }
        & > Static { height: auto; }
        & > OptionList {
            height: auto; border: none; padding: 0; background: transparent;
            scrollbar-size-vertical: 1;
            &:focus { border: none; background-tint: transparent; }
            & > .option-list--option { padding: 0; }
        }
    }
    """

    def __init__(self, words: Content | str = "", *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.words = Static(words, markup=False)
        self.list = OptionList(markup=False)

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
