"""What stands on the screen when the window is too small to show anything else honestly."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.geometry import Size
from textual.screen import Screen
from textual.widgets import Static

WIDTH, HEIGHT = 60, 20


def is_too_small(size: Size) -> bool:
    """Whether the app cannot be shown in a window of this size."""
    return size.width < WIDTH or size.height < HEIGHT


class TooSmallScreen(Screen[None]):
    """One sentence with the size that is needed and the size that there is."""

    def compose(self) -> ComposeResult:
        """The sentence in the middle."""
        yield Static(markup=False, id="sentence")

    def show(self, size: Size) -> None:
        """Name both sizes."""
        self.query_one("#sentence", Static).update(
            f"minigpt needs a window of at least {WIDTH} x {HEIGHT} characters;\n"
            f"this one has {size.width} x {size.height}.\n"
            "Make it larger, or press Ctrl+Q to quit."
        )

    def on_mount(self) -> None:
        """The size is known from the start."""
        self.show(self.app.size)
