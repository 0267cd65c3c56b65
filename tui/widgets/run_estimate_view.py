"""What the run of the form will come to; computed in a thread once the typing pauses."""

from __future__ import annotations

import platform

from textual import work
from textual.app import ComposeResult
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from ...data.corpus import Corpus
from ...data.storage.errors import EXPECTED
from ...engine.machine_speed import MachineSpeed, read_speed
from ...engine.run_estimate import RunEstimate, estimate
from ...models.config import ModelConfig
from ...models.recipe import Recipe, TrainingConfig
from .. import keys
from ..found_models import FoundModel
from ..text import estimate_words as words
from ..text import formatting
from .facts import labelled

_TYPING_PAUSE = 0.1  # seconds without a key before it is computed


class RunEstimateView(Widget):
    """Posts Estimated when there is another estimate."""

    class Estimated(Message):
        """`estimate` and `brief` of the view have changed."""

    def __init__(self) -> None:
        super().__init__()
        self.estimate: RunEstimate | None = None
        self.asked: tuple[ModelConfig, TrainingConfig] | None = None  # whose speed can be measured
        self._speed: MachineSpeed | None = None
        self._asked_for: tuple[Recipe, Corpus, FoundModel | None] | None = None
        self._time = ""  # what is said of the time instead of an estimate
        self._measured: set[tuple[ModelConfig, TrainingConfig]] = set()  # and those that could not be
        self._newest = 0  # the number of the newest question

    def compose(self) -> ComposeResult:
        yield Static(markup=False)

    @property
    def brief(self) -> Content:
        """The estimate in short."""
        if self.estimate is None:
            return Content("")
        text = words.brief(self.estimate) + (f" · {self._time}" if self._time else "")
        return Content.styled(text, words.FIT_COLOURS[self.estimate.memory.fit] or "$foreground")

    @property
    def wants_measuring(self) -> bool:
        """Whether the time is not known by a measurement of this very training, and none was tried."""
        pace = self.estimate.pace if self.estimate else None
        return (
            self.asked is not None and self.asked not in self._measured and (pace is None or bool(pace.measured_with))
        )

    def look(self, recipe: Recipe, corpus: Corpus | None, found: FoundModel | None) -> None:
        """Estimate this from now on."""
        question = (recipe, corpus, found) if corpus else None
        if question == self._asked_for:
            return
        self._asked_for, self._time = question, ""
        self._again()

    def take_speed(self, speed: MachineSpeed) -> None:
        """Estimate again with what was measured now."""
        self._speed = speed
        self.say_of_time("")
        self._again()

    def say_of_time(self, sentence: str) -> None:
        """Say this instead of the time."""
        if self.asked:
            self._measured.add(self.asked)
        self._time = sentence
        self._show()
        self.post_message(self.Estimated())

    def _again(self) -> None:
        self._newest += 1
        self.set_timer(_TYPING_PAUSE, lambda number=self._newest: self._begin(number))

    def _begin(self, number: int) -> None:
        if number == self._newest:
            if self._asked_for is None:
                self._take(None, self._speed, number)
            else:
                self._estimate(*self._asked_for, number)

    @work(thread=True, group="estimate", exit_on_error=False)
    def _estimate(self, recipe: Recipe, corpus: Corpus, found: FoundModel | None, number: int) -> None:
        speed = self._speed or read_speed(platform.node())
        try:
            result = estimate(recipe, corpus, found.config if found else None, speed)
        except EXPECTED:  # the form says why
            result = None
        self.app.call_from_thread(self._take, result, speed, number)

    def _take(self, result: RunEstimate | None, speed: MachineSpeed | None, number: int) -> None:
        if number != self._newest or not self.is_attached:
            return
        self.estimate, self._speed = result, speed
        self.asked = None if result is None else (result.model, result.training)
        self._show()
        self.post_message(self.Estimated())

    def _show(self) -> None:
        text, estimate = self.query_one(Static), self.estimate
        if estimate is None or self._asked_for is None:
            text.update("")
            return
        found, at_most = self._asked_for[2], "at most " if estimate.at_most else ""
        facts: list[tuple[str, str | Content]] = [
            ("parameters", words.parameters(estimate)),
            ("vocabulary", f"{at_most}{estimate.vocab_size:,} tokens"),
            ("a step", f"{estimate.tokens_per_step:,} tokens"),
            ("budget", words.budget(estimate)),
            ("memory", Content.styled(words.memory(estimate.memory), words.FIT_COLOURS[estimate.memory.fit])),
            ("time", self._time or words.time(estimate, keys.spoken("new-run.measure"))),
        ]
        if found:
            facts[:2] = [
                ("start from", f"{formatting.one_line(found.file.name)} ({found.kind})"),
                ("parameters", words.parameters(estimate)),
                ("tokenizer", f"the model's: {found.tokenizer}, {estimate.vocab_size:,} tokens"),
            ]
        if loss := words.loss(estimate):
            facts.append(("loss", loss))
        text.update(labelled(*facts))
