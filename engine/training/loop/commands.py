"""What people ask of a run while it trains: the lines of its commands.jsonl, and the signals that stop it.

Light: the train process reads commands before it imports torch.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from ....data.storage.typed_json import SchemaError
from ...events import COMMANDS, Command
from ...follow import LineFollower
from ...runs import Run
from ..errors import FolderGoneError
from .event_log import EventLog

_PAUSE = 0.05  # seconds between two polls of a paused run

Value = TypeVar("Value")


class StopRequested(Exception):
    """A stop was asked for while something was under way that can be abandoned."""


class CommandReader:
    """Reads the commands of a run; a poll costs one question for the file's size.

    `stop_requested` is set by a stop command as soon as it is read, and by a signal; a resume after it takes the
    command back, but no signal. What stands before `start` in the file, in bytes, was asked of an earlier process of
    the run and is passed over. A look raises FolderGoneError where the run's folder `is_gone`.
    """

    def __init__(self, run: Run, *, start: int = 0, is_gone: Callable[[], bool] = lambda: False) -> None:
        self.stop_requested = False
        self._run, self._is_gone = run, is_gone
        self._signalled = False
        self._lines = LineFollower(run.commands_path, start)
        self._waiting: list[Command | str] = []

    def listen_to_signals(self) -> None:
        """SIGTERM and the first SIGINT ask for a stop, a second SIGINT interrupts; a closed terminal is ignored."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        if hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def poll(self) -> bool:
        """Read what was appended; whether any command waits to be taken. Raises FolderGoneError."""
        if self._is_gone():
            raise FolderGoneError(self._run.name)
        new = [_decode(line) for line in self._lines.read()]
        self._waiting += new
        for command in new:
            if isinstance(command, Command) and command.name == "stop":
                self.stop_requested = True
            elif isinstance(command, Command) and command.name == "resume":
                self.stop_requested = self._signalled
        return bool(self._waiting)

    def take(self) -> Command | str:
        """The next of the commands that wait; in the place of a line that is none, a sentence that says so."""
        return self._waiting.pop(0)

    def check_stop(self) -> None:
        """Raise StopRequested where a stop was asked for; other commands go on waiting."""
        self.poll()
        if self.stop_requested:
            raise StopRequested

    def _on_signal(self, number: int, frame: object) -> None:
        self.stop_requested = self._signalled = True
        if number == signal.SIGINT and int(os.environ.get("WORLD_SIZE", "1")) == 1:  # torchrun sends a second by itself
            signal.signal(signal.SIGINT, signal.default_int_handler)


class Commanded(Protocol):
    """What commands act on: the trainer."""

    def save(self) -> None:
        """Write a checkpoint, or say why that failed."""
        ...

    def evaluate(self) -> None:
        """Compute the validation loss."""
        ...

    def sample(self) -> None:
        """Let the model write something."""
        ...

    def scale_learning_rate(self, factor: float | None) -> str:
        """Multiply the learning rates from here on; a sentence that says so. Raises ValueError with a sentence."""
        ...

    def set_threads(self, number: float | None) -> str:
        """Train with another number of CPU threads; a sentence that says so. Raises ValueError with a sentence."""
        ...

    def set_budget(self, text: str) -> str:
        """Train to another budget; a sentence that says so. Raises ValueError with a sentence."""
        ...


class CommandHandler:
    """Carries out commands between two updates; the event log has the answers."""

    def __init__(self, commands: CommandReader, event_log: EventLog) -> None:
        self._commands, self._event_log = commands, event_log
        self._paused = self._stopping = False

    def handle(self, trainer: Commanded) -> None:
        """Carry out the commands that wait; a pause lasts until a resume or a stop."""
        while self._commands.poll() or (self._paused and not self._commands.stop_requested):
            while self._commands.poll():
                self.carry_out(self._commands.take(), trainer)
            if self._paused:
                time.sleep(_PAUSE)

    def carry_out(self, command: Command | str, trainer: Commanded) -> None:
        """Carry out one command; a sentence in its place becomes a warning."""
        if isinstance(command, str):
            self._event_log.warn(command)
            return
        match command.name:
            case "pause":
                self._pause(trainer)
            case "resume":
                self._resume()
            case "stop":
                self._paused, self._stopping = False, True  # the reader has set `stop_requested`
            case "save":
                trainer.save()
            case "sample":
                trainer.sample()
            case "evaluate":
                trainer.evaluate()
            case "scale_learning_rate":
                self._change(trainer.scale_learning_rate, command.value)
            case "threads":
                self._change(trainer.set_threads, command.value)
            case "budget":
                self._change(trainer.set_budget, command.text)

    def _change(self, change: Callable[[Value], str], value: Value) -> None:
        try:
            self._event_log.note(change(value))
        except ValueError as error:
            self._event_log.warn(str(error))

    def _pause(self, trainer: Commanded) -> None:
        if not self._paused:
            self._paused = True
            trainer.save()
            self._event_log.state("paused")

    def _resume(self) -> None:
        if self._paused or self._stopping:
            self._paused = self._stopping = False
            self._event_log.state("running")


def commands_size(run: Run) -> int:
    """The bytes of the commands that the run was given so far."""
    try:
        return run.commands_path.stat().st_size
    except OSError:
        return 0


def _decode(line: bytes) -> Command | str:
    try:
        return COMMANDS.decode(line)
    except SchemaError as error:
        return f"a command was not understood: {error}"
