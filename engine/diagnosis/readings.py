"""What the rules look at: a run's figures, taken in event by event, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from ...data.storage.typed_json import SchemaError
from ...models.config import ModelConfig
from ...models.recipe import TrainingConfig
from ..events import TRAINING_EVENTS, Evaluation, Note, Started, StateChanged, Step, TrainingEvent
from ..follow import LineFollower
from ..runs import Run, RunManifest, ShownState

MOST_STRETCHES = 512  # when there are more, two become one
MOST_EVALUATIONS = 1024
DIVERGED = "the training diverged before step "  # how the note of a divergence begins


@dataclass
class Stretch:
    """Some training between two readings: means over its Steps, and the highest single loss."""

    step: int  # its last
    seconds: float  # of training until then
    loss: float
    highest: float
    tokens_per_second: float
    learning_rate: float
    count: int = 1

    def merged(self, later: Stretch) -> Stretch:
        """Both as one."""
        count = self.count + later.count
        share = later.count / count
        return Stretch(
            later.step,
            later.seconds,
            self.loss + share * (later.loss - self.loss),
            max(self.highest, later.highest),
            self.tokens_per_second + share * (later.tokens_per_second - self.tokens_per_second),
            later.learning_rate,
            count,
        )


@dataclass
class Readings:
    """A run's figures so far. What a resumed run does again replaces what it did before."""

    training: TrainingConfig
    model: ModelConfig
    state: ShownState | None = None
    reason: str = ""
    started: Started | None = None
    latest: Step | None = None
    stretches: list[Stretch] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)
    divergence: tuple[int, int] | None = None  # the step before which it diverged, and the one to which it went back
    _merging: int = 1  # Steps in one stretch
    _diverged_at: int | None = None

    @classmethod
    def of(cls, manifest: RunManifest) -> Readings:
        """Nothing read yet of this run."""
        return cls(manifest.training, manifest.model)

    @classmethod
    def read(cls, run: Run) -> Readings:
        """All that the run has written; a line that is no event is passed over. Raises RunError for a damaged run."""
        readings, lines = cls.of(run.manifest()), LineFollower(run.metrics_path)
        while new := lines.read():
            for line in new:
                with suppress(SchemaError):
                    readings.apply(TRAINING_EVENTS.decode(line))
        return readings

    @property
    def best(self) -> Evaluation | None:
        """The evaluation with the lowest loss."""
        return min(self.evaluations, key=lambda evaluation: evaluation.validation_loss, default=None)

    @property
    def vocabulary(self) -> int:
        """Tokens that the model knows; 0 where nobody has said it yet."""
        return self.started.vocab_size if self.started else self.model.vocab_size

    def apply(self, event: TrainingEvent) -> None:
        """Take in the next event."""
        match event:
            case Started():
                self.started, self.state, self.reason = event, "running", ""
                self._go_back(event.step)
            case Step():
                self._take_step(event)
            case Evaluation() if event.share == 1:
                self._drop_evaluations(event.step - 1)
                self.evaluations.append(event)
                if len(self.evaluations) > MOST_EVALUATIONS:
                    self.evaluations = list(self._half_of_the_older())
            case StateChanged():
                self.state, self.reason = event.state, event.reason
            case Note(text=text) if text.startswith(DIVERGED):
                number = text.removeprefix(DIVERGED).split(":")[0]
                self._diverged_at = int(number) if number.isdecimal() else event.step
            case _:
                pass

    def _take_step(self, event: Step) -> None:
        if self.state in (None, "starting"):
            self.state = "running"
        if self._diverged_at is not None:
            self.divergence, self._diverged_at = (self._diverged_at, event.step), None
        if self.latest is not None and event.step <= self.latest.step:
            self._go_back(event.step - 1)
        self.latest = event
        new = Stretch(
            event.step, event.seconds, event.loss, event.loss, event.tokens_per_second, event.learning_rate
        )  # fmt: skip
        if self.stretches and self.stretches[-1].count < self._merging:
            self.stretches[-1] = self.stretches[-1].merged(new)
        else:
            self.stretches.append(new)
        if len(self.stretches) > MOST_STRETCHES:
            pairs = zip(self.stretches[::2], self.stretches[1::2], strict=False)
            rest = self.stretches[-1:] if len(self.stretches) % 2 else []
            self.stretches = [one.merged(other) for one, other in pairs] + rest
            self._merging *= 2

    def _go_back(self, step: int) -> None:
        while self.stretches and self.stretches[-1].step > step:
            self.stretches.pop()
        self._drop_evaluations(step)

    def _drop_evaluations(self, step: int) -> None:
        while self.evaluations and self.evaluations[-1].step > step:
            self.evaluations.pop()

    def _half_of_the_older(self) -> Iterator[Evaluation]:
        """Every other evaluation of the first half, the best one in any case, and all of the second half."""
        best, middle = self.best, len(self.evaluations) // 2
        for index, evaluation in enumerate(self.evaluations):
            if index >= middle or index % 2 == 0 or evaluation is best:
                yield evaluation
