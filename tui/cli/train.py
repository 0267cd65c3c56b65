"""The verbs train, resume and stop: start or order a train process, and follow it in one line of progress."""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Iterator

from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn
from rich.text import Text

from ...data.corpus import open_corpus
from ...data.storage.atomic import write_atomic
from ...data.storage.typed_json import SchemaError
from ...engine.client import start_training
from ...engine.events import (
    ENDED_STATES,
    TRAINING_EVENTS,
    CheckpointSaved,
    Command,
    Evaluation,
    Note,
    Preparing,
    StateChanged,
    Step,
    TrainingEvent,
)
from ...engine.follow import LineFollower
from ...engine.launch import new_run
from ...engine.model_files import find_model, read_config
from ...engine.paths import inputs_dir
from ...engine.runs import Run, RunError, find_run
from ...models.config import ConfigError
from ...models.presets import DEFAULT_PRESET, FINE_TUNING, fine_tuning, preset
from ..run_states import stage
from .console import Console
from .main import DONE, FAILED, INTERRUPTED, complain
from .options import override, refuse_shapes

_POLL = 0.1  # seconds between looks at the run's events
_START_PATIENCE = 15.0  # seconds that a started process has to take its lock


def train(arguments: argparse.Namespace) -> int:
    """Make a run and follow it to its end."""
    start_from, recipe = (
        None,
        preset(arguments.preset or (FINE_TUNING.name if arguments.start_from else DEFAULT_PRESET)),
    )
    if arguments.start_from:
        refuse_shapes(arguments)
        start_from = find_model(arguments.start_from)
        recipe = fine_tuning(recipe, read_config(start_from))
    elif recipe.name == FINE_TUNING.name:
        raise ConfigError(f"the preset '{FINE_TUNING.name}' goes on with a trained model: name it with --from")
    recipe = override(recipe, arguments)
    spec = _standard_input() if arguments.corpus == "-" else arguments.corpus
    corpus = open_corpus(spec)
    run = new_run(corpus, recipe, arguments.name, start_from=start_from)
    start_training(run)
    if not arguments.detach:
        return follow(run, LineFollower(run.metrics_path), arguments.json)
    for notice in corpus.notices:
        print(f"minigpt-tui: {notice}", file=sys.stderr)
    return _detach(run)


def resume(arguments: argparse.Namespace) -> int:
    """Go on from the last checkpoint, or with another budget, and follow the run to its end."""
    run = find_run(arguments.run)
    if arguments.devices is not None and arguments.devices < 1:
        raise ConfigError(f"devices is {arguments.devices}; it must be at least 1")
    offset = run.metrics_path.stat().st_size if run.metrics_path.exists() else 0
    if not run.is_alive():
        start_training(run, resume=True, budget=arguments.budget or "", devices=arguments.devices)
    elif arguments.devices:
        raise RunError(f"'{run.name}' trains; stop it first, then resume it with {arguments.devices} processes")
    elif arguments.budget:
        run.send(Command("budget", time=time.time(), text=arguments.budget))
    else:
        raise RunError(f"'{run.name}' already trains; watch it with: minigpt-tui")
    return _detach(run) if arguments.detach else follow(run, LineFollower(run.metrics_path, offset), arguments.json)


def stop(arguments: argparse.Namespace) -> int:
    """Ask a run to stop and save, and wait until it has."""
    run = find_run(arguments.run)
    if not run.is_alive():
        raise RunError(f"'{run.name}' does not train; it is {run.state()}")
    run.send(Command("stop", time=time.time()))
    while run.is_alive():
        time.sleep(_POLL)
    print(f"'{run.name}' is {run.state()}", file=sys.stderr)
    return DONE


def follow(run: Run, follower: LineFollower, as_json: bool) -> int:
    """Show the events of `run` until it ends and return the exit code.

    The first Ctrl-C asks the run to stop and save, the second leaves it running. So does whoever reads the events, and
    goes: raises BrokenPipeError then.
    """
    console = Console(stderr=True)
    view = _ProgressLine(run, console)
    orders = 0
    with view.progress:
        events = _events(run, follower)
        while True:
            try:
                for line, event in events:
                    if as_json:
                        print(line, flush=True)
                    view.show(event)
                    if isinstance(event, StateChanged) and event.state in ENDED_STATES:
                        return _verdict(run, event, orders, as_json)
                return complain(f"'{run.name}' ended without a word; see {run.log_path}", FAILED)
            except KeyboardInterrupt:
                orders += 1
                if orders == 2:
                    return _leave_running(run)
                run.send(Command("stop", time=time.time()))
                view.say("stopping and saving; press Ctrl-C again to leave it running")
                events = _events(run, follower)
            except BrokenPipeError:
                _leave_running(run)
                raise


def _events(run: Run, follower: LineFollower) -> Iterator[tuple[str, TrainingEvent]]:
    """The run's events with the lines they stood on, until its process is gone."""
    began, lived = time.monotonic(), False
    while True:
        alive = run.is_alive()  # before the read: what a dying process wrote last is still handed out
        lived |= alive
        lines = follower.read()
        for line in lines:
            try:
                yield line.decode(), TRAINING_EVENTS.decode(line)
            except (SchemaError, UnicodeDecodeError) as error:
                print(f"minigpt-tui: an event was skipped: {error}", file=sys.stderr)
        if not (alive or lines) and (lived or time.monotonic() - began > _START_PATIENCE):
            return
        time.sleep(_POLL)


class _ProgressLine:
    """A live line on a terminal; single lines at evaluations where standard error is a file."""

    def __init__(self, run: Run, console: Console) -> None:
        self._console = console
        self._name = run.name
        self._validation = ""
        self.progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[figures]}", markup=False),
            console=console,
            disable=not console.is_terminal,
        )
        self._task: TaskID = self.progress.add_task(run.name, total=None, figures="starting")

    def show(self, event: TrainingEvent) -> None:
        match event:
            case Preparing():
                done = None if event.fraction is None else round(100 * event.fraction)
                total = None if event.fraction is None else 100
                self.progress.update(self._task, completed=done, total=total, figures=stage(event))
            case Step():
                total = f"/{event.total_steps}" if event.total_steps else ""
                left = f" · {_duration(event.remaining)} left" if event.remaining is not None else ""
                mfu = f" · {event.mfu:.0%} MFU" if event.mfu is not None else ""
                figures = (
                    f"step {event.step}{total} · loss {event.loss:.3f}{self._validation}"
                    f" · {event.tokens_per_second:,.0f} tokens/s{mfu}{left}"
                )
                self.progress.update(self._task, completed=event.step, total=event.total_steps, figures=figures)
            case Evaluation():
                self._validation = f" · val {event.validation_loss:.3f}"
                self._plain(f"step {event.step}: validation loss {event.validation_loss:.4f} ({event.protocol})")
            case Note():
                self.say(event.text)
            case CheckpointSaved(kind="best"):
                self._plain(f"step {event.step}: best checkpoint saved")
            case _:
                pass

    def say(self, sentence: str) -> None:
        self._console.print(Text(sentence), soft_wrap=True)

    def _plain(self, sentence: str) -> None:
        if not self._console.is_terminal:
            self.say(sentence)


def _verdict(run: Run, event: StateChanged, orders: int, as_json: bool) -> int:
    if event.state == "failed":
        return complain(f"'{run.name}' failed: {event.reason}", FAILED)
    status = run.status()
    loss = f", validation loss {status.validation_loss:.4f}" if status and status.validation_loss is not None else ""
    print(f"'{run.name}' {event.state} at step {event.step}{loss}; it lies in {run.path}", file=sys.stderr)
    if not as_json:
        print(run.name)
    return INTERRUPTED if orders else DONE


def _leave_running(run: Run) -> int:
    print(f"'{run.name}' goes on by itself; stop it with: minigpt-tui stop {run.name}", file=sys.stderr)
    return INTERRUPTED


def _detach(run: Run) -> int:
    print(f"'{run.name}' trains by itself; watch it with: minigpt-tui", file=sys.stderr)
    print(run.name)
    return DONE


def _standard_input() -> str:
    """Keep the text that came through the pipe, so that the run can be done again, and return its path."""
    content = sys.stdin.buffer.read()
    path = inputs_dir() / f"stdin-{hashlib.sha256(content).hexdigest()[:8]}.txt"
    write_atomic(path, content)
    return str(path)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} m {rest:02d} s" if minutes else f"{rest} s"
