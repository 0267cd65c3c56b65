"""What the model wrote at each step, after one prompt: a slider goes through the steps."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from ...data.storage.printable import visible, visible_lines
from ...engine.events import Sample
from ...engine.sample_index import SampleIndex, SampleSeries
from ..text import formatting
from .border_words import set_subtitle, set_title
from .facts import DIM
from .step_slider import StepSlider

_LONGEST = 20_000  # characters that are shown
_TAB = 4  # cells
_EMPTY = "The model writes here at each evaluation."


class SamplesPanel(Vertical, can_focus=True):
    """The samples of one prompt of a run. At the last step it follows the training; Enter posts `SideBySide`."""

    BINDINGS = [
        Binding("left", "step(-1)", "Step before", show=False),
        Binding("right", "step(1)", "Next step", show=False),
        Binding("ctrl+left,pageup", "step(-10)", "Ten steps before", show=False),
        Binding("ctrl+right,pagedown", "step(10)", "Ten steps on", show=False),
        Binding("home", "end(0)", "First step", show=False),
        Binding("end", "end(1)", "Last step", show=False),
        Binding("full_stop", "prompt(1)", "Next prompt", show=False),
        Binding("comma", "prompt(-1)", "Prompt before", show=False),
        Binding("up", "scroll(-1)", "Up", show=False),
        Binding("down", "scroll(1)", "Down", show=False),
        Binding("enter", "side_by_side", "Two steps side by side", show=False),
    ]
    DEFAULT_CSS = """
    SamplesPanel {
        height: 1fr;
        padding: 0 1;
        border: round $border-blurred;
        border-title-color: $text-muted;
        border-subtitle-color: $text-muted;
        &:focus { border: round $border; border-title-color: $text; }
        & > .samples--prompt { height: 1; text-wrap: nowrap; text-overflow: ellipsis; color: $text-muted; }
        & > VerticalScroll { height: 1fr; scrollbar-size-vertical: 1; }
        & > VerticalScroll > Static { height: auto; }
    }
    """

    @dataclass
    class SideBySide(Message):
        """The person wants to see two steps beside each other."""

        panel: SamplesPanel

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._slider = StepSlider()
        self._prompt = Static(markup=False, classes="samples--prompt")
        self._text = Static(_EMPTY, markup=False)
        self._scroll = VerticalScroll(self._text, can_focus=False)
        self._index: SampleIndex | None = None
        self._series: SampleSeries | None = None
        self._step: int | None = None  # None follows the last one
        self._shown: Sample | None = None

    def compose(self) -> ComposeResult:
        yield self._slider
        yield self._prompt
        yield self._scroll

    def on_mount(self) -> None:
        self._write()

    # --- what is shown ---------------------------------------------------------------------------

    @property
    def index(self) -> SampleIndex | None:
        """The samples of the run that is shown."""
        return self._index

    @property
    def place(self) -> tuple[SampleSeries | None, int]:
        """The prompt, and which of its steps is shown, counted from 0."""
        return self._series, self._at

    def show(self, index: SampleIndex | None) -> None:
        """Show the samples of this run; where they are the same as before, what is new among them."""
        if index is not self._index:
            self._index, self._series, self._step = index, None, None
        self._write()

    def go_to(self, series: SampleSeries | None, at: int) -> None:
        """Show this place."""
        self._series = series
        if series is not None:
            self._step = series.steps[at] if 0 <= at < len(series.steps) - 1 else None
        self._write()

    @property
    def _at(self) -> int:
        """The place of the step that is shown, or of the last one before it."""
        steps = self._series.steps if self._series else ()
        if self._step is None:
            return len(steps) - 1
        return max(0, bisect_right(steps, self._step) - 1)

    def _write(self) -> None:
        known = self._index.series if self._index else []
        if self._series not in known:  # by default the first prompt that is in use
            self._series = min(known, key=lambda one: (-(one.steps[-1]), one.index), default=None)
        series, at = self._series, self._at
        self._slider.show(max(0, at), len(series.steps) if series else 0)
        sample = self._index.sample(series, at) if self._index and series else None
        if series and sample:
            number = f"{known.index(series) + 1} of {len(known)}: " if len(known) > 1 else ""
            prompt = formatting.one_line(series.prompt) if series.prompt else "nothing"
            self._prompt.update(Content(visible(f"after {number}{prompt}")), layout=False)
            set_subtitle(self, f"{at + 1:,} of {len(series.steps):,}" + (" · , . prompt" if len(known) > 1 else ""))
        set_title(self, f"samples · step {sample.step:,}" if sample else "samples")
        self._prompt.display = self._slider.display = sample is not None
        if sample != self._shown or sample is None:
            self._shown = sample
            self._text.update(_words(sample) if sample else Content.styled(_EMPTY, DIM))

    # --- what a person does ----------------------------------------------------------------------

    @on(StepSlider.Moved)
    def _moved(self, event: StepSlider.Moved) -> None:
        event.stop()
        self.go_to(self._series, event.at)

    def action_step(self, steps: int) -> None:
        """Go that many places on."""
        if self._series:
            self.go_to(self._series, max(0, min(len(self._series.steps) - 1, self._at + steps)))

    def action_end(self, last: int) -> None:
        """Go to the first step, or to the last one and follow the training."""
        if self._series:
            self.go_to(self._series, len(self._series.steps) - 1 if last else 0)

    def action_prompt(self, by: int) -> None:
        """Turn to another prompt, at the same step."""
        known = self._index.series if self._index else []
        if self._series in known:
            self._series = known[(known.index(self._series) + by) % len(known)]
            self._write()

    def action_scroll(self, lines: int) -> None:
        """Scroll the text."""
        self._scroll.scroll_relative(y=lines, animate=False)

    def action_side_by_side(self) -> None:
        """Ask for two steps beside each other."""
        if self._shown:
            self.post_message(self.SideBySide(self))


def _words(sample: Sample) -> Content:
    """The prompt, dim, and what the model wrote on; nothing in it is markup, or steers the terminal."""
    prompt, text = (visible_lines(part[:_LONGEST]).expandtabs(_TAB) for part in (sample.prompt, sample.text))
    return Content.assemble((prompt, DIM), text) if prompt or text else Content.styled("it wrote nothing", DIM)
