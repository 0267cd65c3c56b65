"""Progress events of the work before the first update, and how a stop ends it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from ..events import Preparing
from ..time_line import TimeLine
from .loop.commands import CommandReader, StopRequested
from .loop.event_log import EventLog

Stage = Literal["reading", "tokenizer", "encoding", "loading"]

_POLL_INTERVAL = 0.05  # seconds between two looks at the commands


class SetupProgress:
    """Reports the stages of a run's setup; each report is also a place at which a stop ends it.

    A stage is reported once it has taken `delay` seconds, at most every `interval` seconds.
    """

    def __init__(
        self,
        event_log: EventLog,
        commands: CommandReader,
        time_line: TimeLine | None = None,
        *,
        delay: float = 0.3,
        interval: float = 0.25,
    ) -> None:
        self._event_log, self._commands = event_log, commands
        self._time_line = time_line or TimeLine("reading")
        self._delay, self._interval = delay, interval
        self._polled = self._reported = 0.0

    def enter(self, stage: Stage) -> Callable[[float | None], None]:
        """Begin a stage: the function that is returned takes the fraction of it that is done, as often as one likes.

        Raises StopRequested, as that function does.
        """
        began = time.perf_counter()
        self._check_stop()
        self._time_line.enter(stage)

        def report(fraction: float | None) -> None:
            self._check_stop()
            now = time.perf_counter()
            if now - began >= self._delay and now - self._reported >= self._interval:
                self._reported = now
                self._event_log.emit(Preparing(stage, fraction))

        return report

    def _check_stop(self) -> None:
        now = time.perf_counter()
        if now - self._polled >= _POLL_INTERVAL:
            self._polled = now
            self._commands.poll()
        if self._commands.stop_requested:
            raise StopRequested
