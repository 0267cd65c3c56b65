"""The training panel: a run's state, progress and figures, and the chart of its losses."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from ..run_words import STAGES, STATE_STYLES
from ..state import TrainingView
from ..text import formatting
from .border_words import set_subtitle
from .facts import DIM, in_two_columns, spread
from .loss_chart import LossChart

CHART_ROWS = 5  # the chart shrinks to these before figures are left out
_BESIDE = 38  # cells of the figures beside the chart


class TrainingPanel(Vertical):
    """A run's figures above its chart, or with the class `-beside` beside it; `show` updates both."""

    DEFAULT_CSS = """
    TrainingPanel {
        height: 1fr;
        padding: 0 1;
        border: round $border-blurred;
        border-title-color: $text-muted;
        border-subtitle-color: $text-muted;
        &:focus-within { border: round $border; border-title-color: $text; }
        & > Static { height: auto; }
        &.-beside { layout: horizontal; }
        &.-beside > Static { width: 38; margin: 0 2 0 0; }
    }
    """
    BORDER_TITLE = "training"

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._figures = Static(markup=False)
        self._chart = LossChart()
        self._view: TrainingView | None = None
        self._rows = 0  # of figures; only where they become more or fewer is anything laid out anew

    @property
    def chart(self) -> LossChart:
        """The chart, for its keys and its maximizing."""
        return self._chart

    def compose(self) -> ComposeResult:
        yield self._figures
        yield self._chart

    def on_mount(self) -> None:
        """Write what is known so far, which may be nothing."""
        self._write()

    def on_resize(self) -> None:
        self._write()

    def watch_virtual_size(self) -> None:
        """Write once there is room: no Resize says so where somebody asked for a region before the first layout."""
        self.call_later(self._write)

    def show(self, view: TrainingView) -> None:
        """Draw the present figures of the run."""
        self._view = view
        self._write()
        empty = view.idle if view.state is None else "no step taken" if view.ended else "waiting for the first step"
        self._chart.show(view.train, view.validation, view.entropy_floor, empty)

    def _write(self) -> None:
        width, height = self.content_size
        if width <= 0:
            return
        beside = self.has_class("-beside")
        view = self._view
        self._figures.display = view is not None and view.state is not None
        self._chart.display = height >= (1 if beside else 2 + CHART_ROWS)
        set_subtitle(self, formatting.one_line(view.name) if view else "")
        if view is None or view.state is None:
            return
        lines = figures(view, min(width, _BESIDE) if beside else width, with_losses=not self._chart.display)
        room = height - CHART_ROWS if self._chart.display and not beside else height
        lines = lines[:room]
        self._figures.update(Content("\n").join(lines), layout=len(lines) != self._rows)
        self._rows = len(lines)


def figures(view: TrainingView, width: int, with_losses: bool) -> list[Content]:
    """A run's figures, the most important line first; with the losses where no chart shows them in its legend."""
    lines = [_heading(view, width), _progress(view, width)]
    if view.reason and view.state in ("failed", "crashed", "silent", "stopped"):
        lines += Content.styled(formatting.one_line(view.reason), f"${STATE_STYLES[view.state].colour}").wrap(width)
    best = formatting.loss(view.best_validation_loss)
    if view.best_step is not None:
        best += f" @ {formatting.compact(view.best_step)}"
    losses = [
        ("train loss", formatting.loss(view.train_loss)), ("val loss", formatting.loss(view.validation_loss)),
    ]  # fmt: skip
    others = [
        ("best", best), ("bits/byte", formatting.loss(view.bits_per_byte)),
        ("speed", formatting.rate(view.tokens_per_second)),
        ("lr", formatting.learning_rate(view.learning_rate)),
        ("memory", formatting.memory(view.memory)), ("trained", formatting.duration(view.seconds)),
    ]  # fmt: skip
    if view.mfu is not None:
        others.append(("MFU", formatting.percent(view.mfu)))
    return lines + in_two_columns((losses if with_losses else []) + others, width)


def _heading(view: TrainingView, width: int) -> Content:
    style = STATE_STYLES[view.state or "starting"]
    if view.preparing:
        return spread(
            Content.styled(style.label, f"bold ${style.colour}"), Content(STAGES[view.preparing.stage]), width
        )
    of = f" of {formatting.whole(view.total_steps)}" if view.total_steps else ""
    step = Content.assemble(("step ", DIM), (formatting.whole(view.step), "bold"), (of, DIM))
    return spread(Content.styled(style.label, f"bold ${style.colour}"), step, width)


def _progress(view: TrainingView, width: int) -> Content:
    if view.preparing is None:
        fraction = view.fraction
        left = f"  {formatting.duration(view.seconds)}"
        if view.remaining is not None and not view.ended:
            left = f"  {formatting.duration(view.remaining)} left"
    elif view.preparing.fraction is None:
        return Content.styled("before the first step", DIM)
    else:
        fraction, left = min(1.0, max(0.0, view.preparing.fraction)), ""
    words = f" {formatting.percent(fraction):>4}{left}"
    bar = max(4, width - len(words))
    halves = round((fraction or 0.0) * 2 * bar)
    full, half = divmod(halves, 2)
    done = "━" * full + "╸" * half
    # the rest begins with a gap, so that the end of the bar is seen without colour
    rest = ("╺" if full and not half and full < bar else "") + "━" * bar
    colour = "$primary" if view.state == "running" else f"${STATE_STYLES[view.state or 'starting'].colour}"
    return Content.assemble((done, colour), (rest[: bar - len(done)], "$foreground 20%"), words)
