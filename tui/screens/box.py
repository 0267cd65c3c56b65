"""A screen whose styles are computed once when it is opened, and the box above another screen that is one."""

from __future__ import annotations

from textual import on
from textual.events import ScreenResume
from textual.screen import ModalScreen, Screen, ScreenResultType

from .sizes import BREAKPOINTS


class StyledOnce(Screen[ScreenResultType]):
    """A screen with the classes of the window's size from the start: Textual adds them later and styles it again."""

    _was_shown = False

    def on_compose(self) -> None:
        """Have those classes before there are widgets."""
        width = self.app.size.width
        present = [name for least, name in BREAKPOINTS if width >= least][-1]
        self.update_classes({name: name == present for _, name in BREAKPOINTS}, update=False)

    @on(ScreenResume)
    def _keep_styles(self, event: ScreenResume) -> None:
        """Keep the styles that were computed when a new screen was mounted, unless it brings some of its own."""
        event.refresh_styles = event.refresh_styles and (self._was_shown or bool(self.css_path))
        self._was_shown = True


class Box(StyledOnce[ScreenResultType], ModalScreen[ScreenResultType]):
    """A box, which lies above another screen for a while."""
