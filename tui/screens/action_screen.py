"""What the chat, the list of runs, the form of a new run and the box that opens a model have in common."""

from __future__ import annotations

from typing import ClassVar

from textual.events import ScreenResume
from textual.screen import Screen

from ...data.storage.errors import sentence_of
from .. import keymap
from ..keyed_node import KeyedNode
from .sizes import BREAKPOINTS


class ActionScreen(KeyedNode, Screen[None]):
    """A screen that has actions of its own in the keymap: those of its scope."""

    SCOPE: ClassVar[keymap.Scope]
    _was_shown = False

    def on_compose(self) -> None:
        """Have the classes of the window's size from the start: those that come later have all styles computed again."""
        width = self.app.size.width
        present = [name for least, name in BREAKPOINTS if width >= least][-1]
        self.update_classes({name: name == present for _, name in BREAKPOINTS}, update=False)

    def on_screen_resume(self, event: ScreenResume) -> None:
        """Keep the styles that were computed when the widgets of a new screen were mounted."""
        event.refresh_styles = event.refresh_styles and self._was_shown
        self._was_shown = True

    def refuse(self, error: BaseException) -> None:
        """Show why something was not done."""
        self.notify(sentence_of(error), severity="warning", markup=False)
