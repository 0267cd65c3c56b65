"""The panels beside a text: in a wide window those for which it is high enough, else one at a time as a drawer."""

from __future__ import annotations

from textual.containers import Vertical
from textual.layout import Layout
from textual.widget import Widget

from .list_panel import ListPanel
from .shared_height import SharedHeight


class Panels(Vertical):
    """Panels one below the other. In a narrow window `turn` goes from one to the next, in the order of `drawer`."""

    def __init__(self, *panels: Widget, drawer: tuple[Widget, ...], id: str | None = None) -> None:
        super().__init__(*panels, id=id, classes="panels")
        self._layout = SharedHeight({panel: panel.least_height for panel in panels if isinstance(panel, ListPanel)})
        self._drawer = drawer
        self._number = 0  # in a narrow window: which panel is shown, counted from 1; 0 is none
        self._wide = True

    @property
    def layout(self) -> Layout:
        """How the panels share the height."""
        return self._layout

    def on_mount(self) -> None:
        """Whenever the focus goes elsewhere, make room for the panel that has it."""
        self.watch(self.screen, "focused", self._arrange_anew, init=False)

    def _arrange_anew(self) -> None:
        for panel in self.children:  # theirs is what makes Textual arrange them
            panel.refresh(layout=True)

    def arrange_for(self, *, wide: bool, shown: bool) -> None:
        """Show all of them where the window is `wide` and they are to be `shown`, else the one of the drawer."""
        self._wide = wide
        self.display = shown if wide else self.is_open
        for number, panel in enumerate(self._drawer, 1):
            panel.display = wide or number == self._number

    @property
    def is_open(self) -> bool:
        """Whether the drawer is open, in a narrow window."""
        return self._number > 0

    def turn(self) -> None:
        """Show the next panel in the drawer, and after the last one none."""
        self._number = (self._number + 1) % (len(self._drawer) + 1)

    def open(self, panel: Widget) -> None:
        """Show this panel in the drawer."""
        self._number = self._drawer.index(panel) + 1

    def close(self) -> None:
        """Close the drawer."""
        self._number = 0
