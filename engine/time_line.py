"""Where the time of a process goes: it is in one phase at a time, so the phases add up to the whole. Light."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class TimeLine:
    """Seconds by phase, in the order in which the phases began; a phase that comes again goes on counting.

    `before` are phases that had passed already, as (phase, seconds).
    """

    def __init__(self, phase: str, *before: tuple[str, float]) -> None:
        self._seconds = dict(before)
        self._phase, self._since = phase, time.perf_counter()
        self._seconds.setdefault(phase, 0.0)

    @property
    def phases(self) -> dict[str, float]:
        """The seconds of each phase until now."""
        self.enter(self._phase)
        return dict(self._seconds)

    def enter(self, phase: str) -> None:
        """End the present phase, and begin or go on with this one."""
        now = time.perf_counter()
        self._seconds[self._phase] += now - self._since
        self._phase, self._since = phase, now
        self._seconds.setdefault(phase, 0.0)

    @property
    def rounded(self) -> dict[str, float]:
        """The same to a thousandth."""
        return {phase: round(seconds, 3) for phase, seconds in self.phases.items()}

    @contextmanager
    def within(self, phase: str) -> Iterator[None]:
        """The time spent within the context is that phase's; afterwards the present one goes on."""
        before = self._phase
        self.enter(phase)
        try:
            yield
        finally:
            self.enter(before)


def process_age() -> float:
    """Seconds since the system made this process; 0 where it does not say (Linux does, to a hundredth)."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        started = int(fields[19]) / os.sysconf("SC_CLK_TCK")
        return max(0.0, float(Path("/proc/uptime").read_text().split()[0]) - started)
    except (OSError, ValueError, IndexError, AttributeError):
        return 0.0
