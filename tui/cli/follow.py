"""A training as the command line shows it: one line of progress, until the run ends."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType

from rich.progress import BarColumn, SpinnerColumn, TaskID, TextColumn
from rich.text import Text

from ...data.storage.printable import visible
from ...data.storage.typed_json import SchemaError
from ...engine.events import (
    ENDED_STATES,
    TRAINING_EVENTS,
    Acknowledged,
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
from ...engine.launch import start_training
from ...engine.runs import Run
from ..run_words import protocol_words, stage
from ..terminal import call_when_hung_up
from ..text import formatting
from .console import Console, cursor_restored, progress_bar
from .exit_codes import BY_SIGNAL, DONE, FAILED, INTERRUPTED, complain

_POLL = 0.1  # seconds between looks at the run's events
_FULL_DISK = 1 << 16  # bytes that are free: no room for a few words
_START_SECONDS = 15.0  # that a started process may take to acquire its lock


def follow(run: Run, follower: LineFollower, as_json: bool) -> int:
    """Show the events of `run` until it ends and return the exit code.

    The first Ctrl-C asks the run to stop and save; the second takes that back and leaves it running. SIGTERM, SIGHUP,
    a suspension and a terminal that is gone without a signal leave it running, and so does a reader of the events that
    goes: that raises BrokenPipeError.
    """
    console = Console(stderr=True)
    view = _ProgressLine(run, console)
    hung_up = threading.Event()
    if console.is_terminal:
        call_when_hung_up((console.file.fileno(),), hung_up.set)
    stopping = False
    with cursor_restored(view.progress, _goes_on(run)), _counted_interruptions() as interruptions:
        try:
            with view.progress:
                for event in _events(run, follower):
                    if event is None:
                        if hung_up.is_set():
                            sys.exit(BY_SIGNAL + signal.SIGHUP)
                        if interruptions.number > 1:
                            return _leave_running(run, follower, interruptions, stopping)
                        if interruptions.number and not stopping:
                            stopping = True
                            run.send(Command("stop", time=time.time()))
                            view.say("stopping and saving; press Ctrl-C again to leave it running")
                        continue
                    if as_json:  # written again: of a damaged run a line may hold numbers that JSON does not know
                        print(TRAINING_EVENTS.encode(event), end="", flush=True)
                    view.show(event)
                    if isinstance(event, StateChanged) and event.state == "stopped" and interruptions.number > 1:
                        _start_again(run)
                        return _leave_running(run, follower, interruptions, stopping=False)
                    if isinstance(event, StateChanged) and event.state in ENDED_STATES:
                        return _report_end(run, event, stopping, as_json)
                return _report_lost(run)
        except (BrokenPipeError, SystemExit):
            with contextlib.suppress(OSError):  # nobody reads that either
                print(f"'{run.name}' stops and saves in the background" if stopping else _goes_on(run), file=sys.stderr)
            raise


class _Interruptions:
    """How often Ctrl-C was pressed. They are counted, not raised: the second may come while the first is answered."""

    number = 0

    def count(self, number: int, frame: FrameType | None) -> None:
        self.number += 1


@contextlib.contextmanager
def _counted_interruptions() -> Iterator[_Interruptions]:
    interruptions = _Interruptions()
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        yield interruptions
        return
    before = signal.signal(signal.SIGINT, interruptions.count)
    try:
        yield interruptions
    finally:
        signal.signal(signal.SIGINT, before)


def _leave_running(run: Run, follower: LineFollower, interruptions: _Interruptions, stopping: bool) -> int:
    """Let the run go on, also one that is `stopping`; where it has ended by now, resume it. Returns the exit code.

    A third Ctrl-C waits for no answer.
    """
    if stopping:
        run.send(Command("resume", time=time.time()))
    for event in _events(run, follower) if stopping else ():
        if interruptions.number > 2:
            return complain(f"'{run.name}' has not answered yet; see minigpt-tui runs", INTERRUPTED)
        match event:
            case StateChanged(state="running"):
                break
            case StateChanged(state="finished" | "failed") as ended:
                return _report_end(run, ended, interrupted=True, as_json=False)
            case StateChanged(state="stopped"):
                _start_again(run)
                break
            case _:
                pass
    print(_goes_on(run), file=sys.stderr)
    return INTERRUPTED


def _start_again(run: Run) -> None:
    """Train on from where the run has just stopped."""
    while run.is_alive():
        time.sleep(_POLL)
    start_training(run, resume=run.checkpoint() is not None)
    began = time.monotonic()
    while not run.is_alive() and time.monotonic() - began < _START_SECONDS:
        time.sleep(_POLL)


def leave_detached(run: Run) -> int:
    """Print the name of the run, which trains in the background, and return the exit code."""
    print(f"'{run.name}' trains in the background; watch it with: minigpt-tui", file=sys.stderr)
    print(run.name)
    return DONE


def _events(run: Run, follower: LineFollower) -> Iterator[TrainingEvent | None]:
    """The run's events, and None between two looks, until its process is gone."""
    started, was_alive = time.monotonic(), False
    while True:
        alive = run.is_alive()  # asked before the read, so that the last lines of a process that ends are not missed
        was_alive |= alive
        lines = follower.read()
        for line in lines:
            try:
                yield TRAINING_EVENTS.decode(line)
            except SchemaError as error:
                complain(f"an event was skipped: {error}")
        if not (alive or lines) and (was_alive or time.monotonic() - started > _START_SECONDS):
            return
        time.sleep(_POLL)
        yield None


class _ProgressLine:
    """A live line on a terminal; single lines at evaluations where standard error is a file."""

    def __init__(self, run: Run, console: Console) -> None:
        self._console = console
        self._validation = ""
        self.progress = progress_bar(
            SpinnerColumn("dots" if console.encoding.startswith("utf") else "line"),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[figures]}", markup=False),
            console=console,
        )
        self._task: TaskID = self.progress.add_task(visible(run.name), total=None, figures="starting")

    def show(self, event: TrainingEvent) -> None:
        match event:
            case Preparing():
                done = None if event.fraction is None else round(100 * min(1.0, max(0.0, event.fraction)))
                total = None if event.fraction is None else 100
                self.progress.update(self._task, completed=done, total=total, figures=stage(event))
            case Step():
                total = f"/{event.total_steps}" if event.total_steps else ""
                left = f" · {formatting.duration(event.remaining)} left" if event.remaining is not None else ""
                mfu = f" · {event.mfu:.0%} MFU" if event.mfu is not None else ""
                figures = (
                    f"step {event.step}{total} · loss {event.loss:.3f}{self._validation}"
                    f" · {event.tokens_per_second:,.0f} tokens/s{mfu}{left}"
                )
                self.progress.update(self._task, completed=event.step, total=event.total_steps, figures=figures)
            case Evaluation():
                self._validation = f" · val {event.validation_loss:.3f}"
                self._plain(f"step {event.step}: validation loss {event.validation_loss:.4f} ({protocol_words(event)})")
            case Note() | Acknowledged():
                self.say(event.text)
            case CheckpointSaved(kind="best"):
                self._plain(f"step {event.step}: best checkpoint saved")
            case _:
                pass

    def say(self, sentence: str) -> None:
        self._console.print(Text(visible(sentence)), soft_wrap=True)

    def _plain(self, sentence: str) -> None:
        if not self._console.is_terminal:
            self.say(sentence)


def _report_end(run: Run, event: StateChanged, interrupted: bool, as_json: bool) -> int:
    if event.state == "failed":
        return complain(f"'{run.name}' failed: {event.reason}", FAILED)
    status = run.status()
    loss = f", validation loss {status.validation_loss:.4f}" if status and status.validation_loss is not None else ""
    print(f"'{run.name}' {event.state} at step {event.step}{loss}; it lies in {run.path}", file=sys.stderr)
    if not as_json:
        print(run.name)
    return INTERRUPTED if interrupted else DONE


def _report_lost(run: Run) -> int:
    """What can be said of a run whose last event never came; on a full disk it cannot be written."""
    status, advice = run.status(), f"see {run.log_path}"
    if status is not None and status.state == "failed":
        return complain(f"'{run.name}' failed: {status.reason}", FAILED)
    with contextlib.suppress(OSError):
        if shutil.disk_usage(run.path).free < _FULL_DISK:
            advice = "the disk is full: free some space, then resume it"
    return complain(f"'{run.name}' ended without saying why; {advice}", FAILED)


def _goes_on(run: Run) -> str:
    return f"'{run.name}' goes on in the background; stop it with: minigpt-tui stop {run.name}"
