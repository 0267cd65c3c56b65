"""What a person hears of the work before the first update, and how it is given up."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from ...events import Preparing
from .commands import CommandReader
from .event_log import Journal
from .stop_request import StopRequest

Stage = Literal["reading", "tokenizer", "encoding", "loading"]

_PATIENCE = 0.3  # seconds; a stage that is shorter is not worth a word
_INTERVAL = 0.25  # seconds between two reports
_LOOK = 0.05  # seconds between two looks at the commands


class PreparationStopped(Exception):
    """Somebody asked for a stop before there was anything to save."""


class Stages:
    """Follows the preparation of a run from stage to stage; each report is also a place at which it can be stopped."""

    def __init__(self, journal: Journal, commands: CommandReader, stop: StopRequest) -> None:
        self._journal, self._commands, self._stop = journal, commands, stop
        self._looked = self._reported = 0.0

    def enter(self, stage: Stage) -> Callable[[float | None], None]:
        """Begin a stage: the function that is returned takes the fraction of it that is done, as often as one likes.

        Raises PreparationStopped, as that function does.
        """
        began = time.perf_counter()
        self.check()

        def report(fraction: float | None) -> None:
            self.check()
            now = time.perf_counter()
            if now - began >= _PATIENCE and now - self._reported >= _INTERVAL:
                self._reported = now
                self._journal.emit(Preparing(stage, fraction))

        return report

    def check(self) -> None:
        """Raise PreparationStopped where a signal or a command asks for it; other commands wait for the trainer."""
        now = time.perf_counter()
        if now - self._looked >= _LOOK:
            self._looked = now
            self._stop.requested |= self._commands.stop_is_asked_for()
        if self._stop.requested:
            raise PreparationStopped
