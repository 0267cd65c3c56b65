"""When a checkpoint, an evaluation or a sample is due: at fixed steps, or within a share of the training time."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Seconds of training: evaluations, checkpoints and pauses do not count."""

    def __init__(self, seconds: float = 0.0) -> None:
        self._before = seconds
        self._since: float | None = None

    @property
    def seconds(self) -> float:
        """The time so far."""
        return self._before + (0.0 if self._since is None else time.perf_counter() - self._since)

    def start(self) -> None:
        """Begin or go on counting."""
        if self._since is None:
            self._since = time.perf_counter()

    def stop(self) -> None:
        """Stop counting."""
        self._before, self._since = self.seconds, None

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Not counting within the context; afterwards as before."""
        running = self._since is not None
        self.stop()
        try:
            yield
        finally:
            if running:
                self.start()


class Interval:
    """Decides when something is due.

    With `every` above 0 that is at each multiple of that many steps. Else the `gaps` are the seconds of training from
    one time to the next, the last of them repeated, and it is put off until its total cost stays within `share` of the
    training time; only the first time may take half of it. `every` may change at any time.
    """

    def __init__(self, every: int, gaps: tuple[float, ...], share: float) -> None:
        self.every = every
        self._gaps, self._share = gaps, share
        self._times, self._spent, self._last_step, self._last_seconds = 0, 0.0, -1, 0.0
        self.cost: float | None = None  # seconds that the latest took

    def due(self, step: int, seconds: float, expected: float = 0.0, remaining: float | None = None) -> bool:
        """Whether it is due after `step` steps and `seconds` of training since the process started.

        `expected` is an estimate of its cost in seconds, for the first time, and for the last one: by time, it is not
        due where the `remaining` seconds of training are too few to pay for it.
        """
        if self.every:
            return step % self.every == 0 and step != self._last_step
        if remaining is not None and expected > self._share * remaining:
            return False
        if seconds - self._last_seconds < self._gaps[min(self._times, len(self._gaps) - 1)]:
            return False
        if self._times == 0:
            return expected <= 0.5 * seconds
        return self.has_time_for(seconds, self.cost or 0.0)

    def has_time_for(self, seconds: float, cost: float) -> bool:
        """Whether `cost` more seconds stay within the share of the training time."""
        return self._spent + cost <= self._share * seconds

    def done(self, step: int, seconds: float, cost: float) -> None:
        """It happened, at `step` and `seconds`, and took `cost` seconds."""
        self._times += 1
        self._spent += cost
        self._last_step, self._last_seconds, self.cost = step, seconds, cost


def checkpoint_interval(every: int) -> Interval:
    """First after 1.2 s, so that a person can soon talk to the model; then often enough that its replies keep up.

    A small model costs a few hundredths of a second; a large one is held to 3 percent of the time by its cost.
    """
    return Interval(every, gaps=(1.2, 1.8, 2, 2, 3, 3, 4, 5, 5, 10, 10, 20, 30), share=0.03)


def evaluation_interval(every: int) -> Interval:
    """Soon after the first checkpoint and often at first, when the loss falls fast; within 15 percent of the time."""
    return Interval(every, gaps=(2, 2, 2, 2, 3, 3, 5, 5, 10, 10, 20, 30), share=0.15)


def history_interval(every: int) -> Interval:
    """At fixed steps alone: the checkpoints of the history should be evenly spaced."""
    return Interval(every, gaps=(math.inf,), share=0.0)


def sample_interval(every: int) -> Interval:
    """At each evaluation, within a twentieth of the time."""
    return Interval(every, gaps=(0,), share=0.05)
