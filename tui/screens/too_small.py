"""What is shown while the window is too small for anything else."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.geometry import Size
from textual.screen import Screen
from textual.widgets import Static

from .. import keys
from .sizes import SMALLEST


class TooSmallScreen(Screen[None]):
    """One sentence with the size that is needed and the size that there is."""

    def compose(self) -> ComposeResult:
        yield Static(markup=False, id="sentence")

    def show(self, size: Size) -> None:
        self.query_one("#sentence", Static).update(
            f"minigpt needs a window of at least {SMALLEST.width} x {SMALLEST.height} characters;\n"
            f"this one has {size.width} x {size.height}.\n"
            f"Make it larger, or press {keys.spoken('quit')} to quit."
        )

    def on_mount(self) -> None:
        self.show(self.app.size)
