"""When something costly is due: at fixed steps, or so that it takes a small share of the training time."""

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
        """Begin to count, or go on with it."""
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


class Pace:
    """Decides when to save, to evaluate or to sample.

    With `every` above 0 it is due at each multiple of that many steps. Else the `gaps` are seconds of training between
    one time and the next, the last of them repeated, and a time is put off until all that was spent, and `expected`,
    are within `share` of the training time; only the first may take half of it.
    """

    def __init__(self, every: int, gaps: tuple[float, ...], share: float) -> None:
        self._every, self._gaps, self._share = every, gaps, share
        self._times, self._spent, self._last_step, self._last_seconds = 0, 0.0, -1, 0.0
        self.cost: float | None = None  # seconds that the latest took

    def due(self, step: int, seconds: float, expected: float = 0.0) -> bool:
        """Whether it is time, after `step` steps and `seconds` of training since the process started.

        `expected` is a guess of the cost in seconds, which counts until the first cost is known.
        """
        if self._every:
            return step % self._every == 0 and step != self._last_step
        if seconds - self._last_seconds < self._gaps[min(self._times, len(self._gaps) - 1)]:
            return False
        if self._times == 0:
            return expected <= 0.5 * seconds
        return self._spent + (self.cost or 0.0) <= self._share * seconds

    def done(self, step: int, seconds: float, cost: float) -> None:
        """It happened, at `step` and `seconds`, and took `cost` seconds."""
        self._times += 1
        self._spent += cost
        self._last_step, self._last_seconds, self.cost = step, seconds, cost


def checkpoint_pace(every: int) -> Pace:
    """First after 2 s, so that a person can soon talk to the model; then often enough that the replies keep up with it.

    A small model costs a few hundredths of a second; a large one is held to 3 percent of the time by its cost.
    """
    return Pace(every, gaps=(2, 2, 2, 3, 3, 4, 5, 5, 10, 10, 20, 30), share=0.03)


def evaluation_pace(every: int) -> Pace:
    """Soon after the first checkpoint and often at first, when the loss falls fast; within 15 percent of the time."""
    return Pace(every, gaps=(2, 2, 2, 2, 3, 3, 5, 5, 10, 10, 20, 30), share=0.15)


def history_pace(every: int) -> Pace:
    """At fixed steps alone: what is looked back to should lie evenly."""
    return Pace(every, gaps=(math.inf,), share=0.0)


def sample_pace(every: int) -> Pace:
    """At each evaluation, within a twentieth of the time."""
    return Pace(every, gaps=(0,), share=0.05)
