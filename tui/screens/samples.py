"""Two steps side by side: what the model wrote then, and later."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical

from ...engine.sample_index import SampleIndex, SampleSeries
from ..widgets.samples_panel import SamplesPanel
from .box import Box

_REFRESH = 1.0  # seconds


class SamplesBox(Box[None]):
    """The first step and the one that was shown at the beginning; each column has a slider of its own."""

    BINDINGS = [Binding("escape", "dismiss", "Close")]
    CSS_PATH = "../styles/samples.tcss"
    AUTO_FOCUS = "#samples-left"

    def __init__(self, index: SampleIndex, series: SampleSeries | None, at: int) -> None:
        super().__init__()
        self._index, self._series, self._at = index, series, at

    def compose(self) -> ComposeResult:
        with Vertical(id="samples") as box:
            box.border_title = "two steps side by side"
            box.border_subtitle = "◂ ▸ step · , . prompt · Tab the other one · Esc close"
            with Horizontal():
                yield SamplesPanel(id="samples-left")
                yield SamplesPanel(id="samples-right")

    def on_mount(self) -> None:
        """Show both, and what is written meanwhile."""
        for panel, at in zip(self.query(SamplesPanel), (0, self._at), strict=True):
            panel.show(self._index)
            panel.go_to(self._series, at)
        self.set_interval(_REFRESH, self._refresh)

    def _refresh(self) -> None:
        if self._index.read():
            for panel in self.query(SamplesPanel):
                panel.show(self._index)

    @on(SamplesPanel.SideBySide)
    def _enough(self, event: SamplesPanel.SideBySide) -> None:
        event.stop()
        self.dismiss()
