"""The loss chart: training and validation loss over the steps of a run, in braille."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.strip import Strip
from textual.style import Style
from textual.widget import Widget

from ..charts.loss_plot import draw
from ..charts.series import Series
from ..line_filters import draws_ascii

SMALLEST_WINDOW = 1 / 64


class LossChart(Widget, can_focus=True):
    """Draws two series, at the same cost however many points they hold; drawn again only after `show`."""

    ALLOW_MAXIMIZE = True
    HELP = "Training and validation loss over the steps. The tint behind the curve is the spread of single readings."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "toggle_log", "Log scale", id="chart.log", tooltip="Linear or logarithmic losses"),
        Binding("plus,equals_sign", "zoom_in", "Zoom in", id="chart.zoom_in", tooltip="Show only the last half"),
        Binding("minus", "zoom_out", "Zoom out", id="chart.zoom_out", tooltip="Show twice as much of the run"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "loss-chart--train",
        "loss-chart--validation",
        "loss-chart--floor",
        "loss-chart--axis",
        "loss-chart--legend",
        "loss-chart--alarm",
        "loss-chart--band",
    }
    DEFAULT_CSS = """
    LossChart {
        height: 1fr;
        min-height: 3;
        .loss-chart--train { color: $text-secondary; }
        .loss-chart--validation { color: $accent; }
        .loss-chart--floor { color: $text-success; }
        .loss-chart--axis { color: $text-muted; }
        .loss-chart--legend { color: $foreground; }
        .loss-chart--alarm { color: $text-error; }
        .loss-chart--band { background: $text-secondary 16%; }
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._train = Series()
        self._validation = Series()
        self._floor: float | None = None
        self._logarithmic = False
        self._window = 1.0  # the last part of the run that is shown
        self._empty = "no run yet"
        self._shown: tuple[object, ...] = ()
        self._strips: list[Strip] = []
        self._strips_for: tuple[object, ...] = ()

    def show(
        self, train: Series, validation: Series, floor: float | None = None, empty: str = "waiting for the first step"
    ) -> None:
        """Draw these series, which may go on growing, or the sentence `empty`; with nothing new this costs nothing."""
        shown = (id(train), train.version, id(validation), validation.version, floor, empty)
        if shown == self._shown:
            return
        self._shown = shown
        self._train, self._validation, self._floor, self._empty = train, validation, floor, empty
        self._redraw()

    def toggle_log(self) -> None:
        """Change between linear and logarithmic losses."""
        self._logarithmic = not self._logarithmic
        self._redraw()

    def zoom_in(self) -> None:
        """Show the last half of what is shown."""
        self._window = max(SMALLEST_WINDOW, self._window / 2)
        self._redraw()

    def zoom_out(self) -> None:
        """Show twice as much, at most the whole run."""
        self._window = min(1.0, self._window * 2)
        self._redraw()

    def action_toggle_log(self) -> None:
        self.toggle_log()

    def action_zoom_in(self) -> None:
        self.zoom_in()

    def action_zoom_out(self) -> None:
        self.zoom_out()

    def notify_style_update(self) -> None:
        """Draw again in the colours of a new theme."""
        super().notify_style_update()
        self._strips_for = ()

    def render_line(self, y: int) -> Strip:
        """One row of the drawing, which is made once for each size and content."""
        wanted = (self.size, draws_ascii(self.app), self.get_visual_style().rich_style)
        if wanted != self._strips_for:
            self._strips = list(self._drawn())
            self._strips_for = wanted
        return self._strips[y] if y < len(self._strips) else Strip.blank(self.size.width, self.rich_style)

    def _redraw(self) -> None:
        self._strips_for = ()
        self.refresh()

    def _drawn(self) -> Iterator[Strip]:
        rows = draw(
            self._train, self._validation, self._floor, self.size.width, self.size.height,
            logarithmic=self._logarithmic, window=self._window, ascii=draws_ascii(self.app), empty=self._empty,
        )  # fmt: skip
        styles: dict[tuple[str, bool], Style] = {}
        for row in rows:
            segments = []
            for key, cells in groupby(row, key=lambda cell: (cell.role, cell.in_band)):
                if key not in styles:
                    classes = ["loss-chart--band"] * key[1] + [f"loss-chart--{key[0]}"]
                    styles[key] = self.get_visual_style(*classes)
                segments.append(Segment("".join(cell.text for cell in cells), styles[key].rich_style))
            yield Strip(segments, self.size.width)
