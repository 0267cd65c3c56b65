"""What people ask of a run while it trains: the lines of its commands.jsonl, and the signals that stop it.

What is done about them is the matter of command_handler.py.

Light: the train process reads commands before it imports torch.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass

from ....data.storage.typed_json import SchemaError, parse
from ...events import COMMANDS, Command
from ...follow import LineFollower
from ...runs import Run
from ..errors import FolderGoneError

_LONGEST_ID = 64  # characters of a command's id that are kept


class StopRequested(Exception):
    """A stop was asked for while something was under way that can be abandoned."""


@dataclass(frozen=True)
class NoCommand:
    """A line that is no command: why, and the id that it has all the same."""

    problem: str
    id: str


class CommandReader:
    """Reads the commands of a run; a poll costs one question for the file's size.

    `stop_requested` is set by a stop command as soon as it is read, and by a signal; a resume after it takes the
    command back, but no signal. `without_saving` says that the stop is one that writes no checkpoint. What stands
    before `start` in the file, in bytes, was asked of an earlier process of the run and is passed over. A look raises
    FolderGoneError where the run's folder `is_gone`.
    """

    def __init__(self, run: Run, *, start: int = 0, is_gone: Callable[[], bool] = lambda: False) -> None:
        self.stop_requested = self.without_saving = False
        self._run, self._is_gone = run, is_gone
        self._signalled = False
        self._lines = LineFollower(run.commands_path, start)
        self._waiting: list[Command | NoCommand] = []

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
        for command in (line for line in new if isinstance(line, Command)):
            if command.name in ("stop", "stop_now"):
                self.stop_requested = True
                self.without_saving |= command.name == "stop_now"
            elif command.name == "resume":
                self.stop_requested, self.without_saving = self._signalled, False
        return bool(self._waiting)

    def take(self) -> Command | NoCommand:
        """The next of the lines that wait."""
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


def commands_size(run: Run) -> int:
    """The bytes of the commands that the run was given so far."""
    try:
        return run.commands_path.stat().st_size
    except OSError:
        return 0


def _decode(line: bytes) -> Command | NoCommand:
    try:
        return COMMANDS.decode(line)
    except SchemaError as error:
        return NoCommand(f"a command was not understood: {error}", _id_of(line))


def _id_of(line: bytes) -> str:
    """The id of a line that is no command, for example because a newer version wrote it; empty where it has none."""
    try:
        plain = parse(line)
    except (ValueError, RecursionError):
        return ""
    found = plain.get("id") if isinstance(plain, dict) else None
    return found[:_LONGEST_ID] if isinstance(found, str) else ""
