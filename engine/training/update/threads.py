"""How many CPU threads train fastest: found by timing real updates, again from time to time.

A small model gains little from a second thread, and loses much when another program wants that core. Both change
during a run, and the system tells neither.
"""

from __future__ import annotations

import math

import torch

from ....models.devices import choose_threads

TRIES = 3  # updates with each number of threads; the fastest counts, since a neighbour can only slow one down
INTERVAL = 20.0  # seconds of training between two trials
GAIN = 1.1  # how much faster more threads must be: they take cores from other programs


class ThreadTrial:
    """Sets torch's threads to 1, 2, 4, ... up to `most`, whichever makes updates fastest."""

    def __init__(self, most: int) -> None:
        self._numbers = [number for number in (1, 2, 4, 8, 16) if number < most] + [most]
        self._skip = 1  # the first update also allocates buffers and loads kernels
        self._begin()

    def updated(self, seconds: float) -> None:
        """An update took `seconds`, with the threads that torch has now."""
        if self._skip:
            self._skip -= 1
            return
        if self._trying < len(self._numbers):
            self._fastest[self._trying] = min(self._fastest[self._trying], seconds)
            self._tries += 1
            if self._tries == TRIES:
                self._trying, self._tries = self._trying + 1, 0
                tried_all = self._trying == len(self._numbers)
                torch.set_num_threads(self._best() if tried_all else self._numbers[self._trying])
            return
        self._since += seconds
        if self._since > INTERVAL and len(self._numbers) > 1:
            self._begin()

    def _begin(self) -> None:
        self._fastest = [math.inf] * len(self._numbers)
        self._trying, self._tries, self._since = 0, 0, 0.0
        torch.set_num_threads(self._numbers[0])

    def _best(self) -> int:
        best = 0
        for i, seconds in enumerate(self._fastest):
            if seconds * GAIN < self._fastest[best]:
                best = i
        return self._numbers[best]


class Threads:
    """The CPU threads of a run's updates: as many as a `trial` finds, or a fixed number.

    Where users cannot change the number either, `kept_because` is the sentence that says why.
    """

    def __init__(self, trial: ThreadTrial | None = None, kept_because: str = "") -> None:
        self._trial, self._kept_because = trial, kept_because

    @property
    def tries(self) -> bool:
        """Whether their number is found by trial."""
        return self._trial is not None

    def updated(self, seconds: float) -> None:
        """An update took `seconds`."""
        if self._trial:
            self._trial.updated(seconds)

    def change(self, number: float | None) -> str:
        """Set another number, or find the fastest where it is 0 or None; returns a sentence that says so.

        Raises ValueError, with a sentence, where that is not possible.
        """
        if self._kept_because:
            raise ValueError(self._kept_because)
        if number is not None and not 0 <= number <= 1024:
            raise ValueError(f"{number:g} CPU threads are not possible; give a number, or 0 for all")
        threads = choose_threads(int(number or 0), leave_core=False)
        torch.set_num_threads(threads)
        self._trial = None if number else ThreadTrial(threads)
        return f"CPU threads: {threads}" if number else f"CPU threads: up to {threads}, by trying"
