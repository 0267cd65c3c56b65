"""A box with a prompt as a chat template or a dialogue framed it, letter for letter."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.widgets import Static

from ...data.storage.printable import visible_lines
from .box import Box


class FrameBox(Box[None]):
    """What the model read before it wrote the last reply."""

    BINDINGS = [Binding("escape,q,enter", "dismiss", "Close")]
    AUTO_FOCUS = "#frame"

    def __init__(self, frame: str) -> None:
        super().__init__()
        self._frame = frame

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="frame") as box:
            box.border_title = "what the model reads"
            box.border_subtitle = "Esc closes"
            yield Static(visible_lines(self._frame), markup=False)
