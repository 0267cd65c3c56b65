"""The commands that watchers append to a run's commands.jsonl."""

from __future__ import annotations

from ....data.storage.typed_json import SchemaError
from ...events import COMMANDS, Command
from ...follow import LineFollower
from ...runs import Run


class CommandReader:
    """Hands out new commands; a look costs one question for the file's size.

    A resumed run does not obey what was said to its predecessor: reading begins at `offset`.
    """

    def __init__(self, run: Run, offset: int = 0) -> None:
        self._lines = LineFollower(run.commands_path, offset)
        self._waiting: list[Command | str] = []  # seen, and not yet handed out

    def read(self) -> list[Command | str]:
        """Commands since the last call; a sentence stands in the place of a line that is none."""
        self._look()
        new, self._waiting = self._waiting, []
        return new

    def stop_is_asked_for(self) -> bool:
        """Whether a stop is among the commands that the next `read` will hand out."""
        self._look()
        return any(isinstance(command, Command) and command.name == "stop" for command in self._waiting)

    def _look(self) -> None:
        self._waiting += [_decode(line) for line in self._lines.read()]


def size_of_commands(run: Run) -> int:
    """The offset behind all commands so far."""
    try:
        return run.commands_path.stat().st_size
    except OSError:
        return 0


def _decode(line: bytes) -> Command | str:
    try:
        return COMMANDS.decode(line)
    except SchemaError as error:
        return f"a command was not understood: {error}"
