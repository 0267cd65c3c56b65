"""A training of ours as a contestant sees it: started from nothing, followed to its end, timed from outside."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...data.storage.typed_json import SchemaError, dumps, loads
from ...models.recipe import Recipe
from ..client import child_environment, python_module
from ..events import ENDED_STATES, TRAINING_EVENTS, Command, Evaluation, Started, StateChanged, Step, TrainingEvent
from ..follow import LineFollower
from ..results import EvaluationResult
from ..runs import Run
from .start_run import Order
from .turns import Figure, TurnFailedError

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
        """The first evaluation at or below `loss`, with its wall seconds. Raises TurnFailedError where none is."""
        for wall, evaluation in self.evaluations:
            if evaluation.validation_loss <= loss:
                return wall, evaluation
        best = min((evaluation.validation_loss for _, evaluation in self.evaluations), default=float("nan"))
        raise TurnFailedError(f"the loss was to fall to {loss}, and its lowest was {best:.4f}")

    def tokens_per_second(self, warm_up_steps: int) -> float:
        """The pace after the first steps. Raises TurnFailedError where nothing was reported after them."""
        warm = [step for step in self.steps if step.step >= warm_up_steps]
        if len(warm) < 2 or warm[-1].seconds <= warm[0].seconds:
            raise TurnFailedError(f"the run ended too soon after its first {warm_up_steps} steps to have a pace")
        return (warm[-1].tokens - warm[0].tokens) / (warm[-1].seconds - warm[0].seconds)


def train(
    home: Path, corpus: str, recipe: Recipe, watch: Callable[[Run, TrainingEvent], None] = lambda run, event: None
) -> Training:
    """Train `recipe` on `corpus` in a process of its own, with all its files below `home`.

    `watch` receives each event as it comes, and may send orders. What interrupts this stops the run. Raises
    TurnFailedError where the run cannot be made or fails.
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
    """The `full` loss of a model on its run's validation text, or on all of `on`. Raises TurnFailedError."""
    options = [] if on is None else ["--on", str(on)]
    options += [] if context_length is None else ["--context-length", str(context_length)]
    command = python_module("minigpt_tui.engine.training.evaluate_process", str(model), *options)
    answer = _answer(command, home)
    try:
        return loads(EvaluationResult, answer.splitlines()[-1]).loss
    except (IndexError, SchemaError) as error:
        raise TurnFailedError(f"the evaluation of {model} gave no result: {error}") from error


def with_training(recipe: Recipe, **fields: object) -> Recipe:
    """The recipe with other fields of its training."""
    return replace(recipe, training=replace(recipe.training, **fields))  # type: ignore[arg-type]


def _start(home: Path, corpus: str, recipe: Recipe) -> Run:
    command = python_module("minigpt_tui.engine.bench.start_run")
    return Run(Path(_answer(command, home, dumps(Order(corpus, recipe))).strip()))


def _answer(command: list[str], home: Path, said: str = "") -> str:
    """What a process of ours prints. Raises TurnFailedError with its last word where it fails."""
    done = subprocess.run(
        command, input=said, capture_output=True, text=True, encoding="utf-8", cwd=home,
        env={**child_environment(), "MINIGPT_HOME": str(home)},
    )  # fmt: skip
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"a process ended with code {done.returncode}"]
        raise TurnFailedError(lines[-1].removeprefix("minigpt-tui: "))
    return done.stdout


def _follow(training: Training, began: float, watch: Callable[[Run, TrainingEvent], None]) -> None:
    """Take down the run's events until its process has ended."""
    run, follower, lived = training.run, LineFollower(training.run.metrics_path), False
    ending: StateChanged | None = None
    while True:
        alive = run.is_alive()  # before the read: what a process wrote last is still taken down
        lived |= alive
        for line in follower.read():
            with contextlib.suppress(SchemaError):
                event = TRAINING_EVENTS.decode(line)
                _take_down(training, event, time.perf_counter() - began)
                watch(run, event)
                ending = event if isinstance(event, StateChanged) and event.state in ENDED_STATES else ending
        if not alive and (lived or ending or time.perf_counter() - began > _START_PATIENCE):
            break
        time.sleep(_POLL)
    if ending is None:
        raise TurnFailedError("the train process ended without a word")
    if ending.state == "failed":
        raise TurnFailedError(ending.reason)


def _take_down(training: Training, event: TrainingEvent, wall: float) -> None:
    match event:
        case Started():
            training.started = event
        case Step():
            training.steps.append(event)
        case Evaluation():
            training.evaluations.append((wall, event))
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
