"""One training of ours: started from nothing, followed to its end, timed from outside."""

from __future__ import annotations

import contextlib
import os
import signal
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from minigpt_tui.data.storage.typed_json import SchemaError, dumps, loads
from minigpt_tui.engine.events import (
    ENDED_STATES,
    TRAINING_EVENTS,
    Command,
    Evaluation,
    Started,
    StateChanged,
    Step,
    Times,
    TrainingEvent,
)
from minigpt_tui.engine.follow import LineFollower
from minigpt_tui.engine.results import EvaluationResult
from minigpt_tui.engine.runs import Run
from minigpt_tui.models.recipe import Recipe

from ..harness import Figure, TrialFailedError
from ..processes import output_of
from . import start_run
from .start_run import TrainingRequest

_POLL = 0.02  # seconds between looks at the run's events
_START_PATIENCE = 30.0  # seconds that a started process has to take its lock
_STOP_PATIENCE = 10.0  # seconds that a run has to stop before it is killed


@dataclass
class Training:
    """A run that has ended, with what it said; wall seconds count from before its command was started."""

    run: Run
    whole: float = 0.0  # wall seconds until the process had ended
    started: Started | None = None
    steps: list[Step] = field(default_factory=list)
    evaluations: list[tuple[float, Evaluation]] = field(default_factory=list)  # with the wall seconds of each
    times: Times | None = None

    @property
    def phases(self) -> dict[str, Figure]:
        """The seconds of each phase of the train process, by its name."""
        return {f"{phase}, s": seconds for phase, seconds in self.times.phases.items()} if self.times else {}

    @property
    def facts(self) -> dict[str, Figure]:
        """What it ran on, in words."""
        if self.started is None:
            return {}
        facts: dict[str, Figure] = {"device": self.started.device_name, "dtype": self.started.dtype}
        if self.started.device != "cpu":
            facts["gpu"] = self.started.device_name
        return facts

    @property
    def seconds(self) -> float:
        """Of training alone: without imports, evaluations and checkpoints."""
        return self.steps[-1].seconds if self.steps else 0.0

    def reached(self, loss: float) -> tuple[float, Evaluation]:
        """The first evaluation at or below `loss`, with its wall seconds. Raises TrialFailedError where none is."""
        for wall, evaluation in self.evaluations:
            if evaluation.validation_loss <= loss:
                return wall, evaluation
        best = min((evaluation.validation_loss for _, evaluation in self.evaluations), default=float("nan"))
        raise TrialFailedError(f"the loss was to fall to {loss}, and its lowest was {best:.4f}")

    def tokens_per_second(self, warm_up_steps: int) -> float:
        """The pace after the first steps. Raises TrialFailedError where nothing was reported after them."""
        warm = [step for step in self.steps if step.step >= warm_up_steps]
        if len(warm) < 2 or warm[-1].seconds <= warm[0].seconds:
            raise TrialFailedError(f"the run ended too soon after its first {warm_up_steps} steps to have a pace")
        return (warm[-1].tokens - warm[0].tokens) / (warm[-1].seconds - warm[0].seconds)

    def share_of_peak(self, warm_up_steps: int) -> float | None:
        """The median share of the device's peak that the steps after the first ones report; None where none does."""
        shares = [step.mfu for step in self.steps if step.step > warm_up_steps and step.mfu]
        return statistics.median(shares) if shares else None


def train(
    home: Path, corpus: str, recipe: Recipe, watch: Callable[[Run, TrainingEvent], None] = lambda run, event: None
) -> Training:
    """Train `recipe` on `corpus` in a process of its own, with all its files below `home`.

    `watch` receives each event as it comes, and may send commands. What interrupts this stops the run. Raises
    TrialFailedError where the run cannot be made or fails.
    """
    began = time.perf_counter()
    try:
        training = Training(_start(home, corpus, recipe))
        _follow(training, began, watch)
    except BaseException:
        for folder in home.glob("data/runs/*"):  # also one that was started and not yet heard of
            _stop(Run(folder))
        raise
    training.whole = time.perf_counter() - began
    return training


def evaluate(home: Path, model: Path, on: Path | None = None, context_length: int | None = None) -> float:
    """The `full` loss of a model on its run's validation text, or on all of `on`. Raises TrialFailedError."""
    options = [] if on is None else ["--on", str(on)]
    options += [] if context_length is None else ["--context-length", str(context_length)]
    module = "minigpt_tui.engine.training.evaluate_process"
    answer = output_of(module, str(model), *options, folder=home, variables={"MINIGPT_HOME": str(home)})
    try:
        return loads(EvaluationResult, answer.splitlines()[-1]).loss
    except (IndexError, SchemaError) as error:
        raise TrialFailedError(f"the evaluation of {model} gave no result: {error}") from error


def with_training(recipe: Recipe, **fields: object) -> Recipe:
    """The recipe with other fields of its training."""
    return replace(recipe, training=replace(recipe.training, **fields))  # type: ignore[arg-type]


def _start(home: Path, corpus: str, recipe: Recipe) -> Run:
    request = dumps(TrainingRequest(corpus, recipe))
    path = output_of(start_run.__name__, stdin=request, folder=home, variables={"MINIGPT_HOME": str(home)})
    return Run(Path(path.strip()))


def _follow(training: Training, began: float, watch: Callable[[Run, TrainingEvent], None]) -> None:
    """Record the run's events until its process has ended."""
    run, follower, lived = training.run, LineFollower(training.run.metrics_path), False
    ending: StateChanged | None = None
    while True:
        alive = run.is_alive()  # before the read: what a process wrote last is still read
        lived |= alive
        for line in follower.read():
            with contextlib.suppress(SchemaError):
                event = TRAINING_EVENTS.decode(line)
                _record(training, event, time.perf_counter() - began)
                watch(run, event)
                ending = event if isinstance(event, StateChanged) and event.state in ENDED_STATES else ending
        if not alive and (lived or ending or time.perf_counter() - began > _START_PATIENCE):
            break
        time.sleep(_POLL)
    if ending is None:
        raise TrialFailedError("the train process ended without a word")
    if ending.state == "failed":
        raise TrialFailedError(ending.reason)


def _record(training: Training, event: TrainingEvent, wall: float) -> None:
    match event:
        case Started():
            training.started = event
        case Step():
            training.steps.append(event)
        case Evaluation() if event.share == 1:  # of the whole text
            training.evaluations.append((wall, event))
        case Times():
            training.times = event
        case _:
            pass


def _stop(run: Run) -> None:
    """End a run whose files are about to be deleted: by asking, and by force where that does not help."""
    with contextlib.suppress(OSError):
        run.send(Command("stop", time=time.time()))
    deadline = time.monotonic() + _STOP_PATIENCE
    while run.is_alive():
        status = run.status()
        if time.monotonic() > deadline and status:
            with contextlib.suppress(OSError):
                os.kill(status.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
            return
        time.sleep(_POLL)
