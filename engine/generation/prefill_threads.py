"""CPU threads for passes over many tokens, a prompt or many samples, which all cores together compute fastest.

Unlike the step of a single token, which waits for memory, such a pass computes. But where another process keeps a core
busy, threads wait for each other at every operator, and a pass takes several times as long as on one thread.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

MANY = 16  # tokens in one pass, from which on computing takes the time and not the reading of the weights
_CLEARLY = 1.2  # slower than on one thread by this: somebody else wants a core
_AS_THEY_ARE = nullcontext()
_BACKED_OFF = 30.0  # seconds until all cores are tried again


class Crowd:
    """Gives passes over many tokens all `cores`, as long as that is not slower than `alone`: one thread's seconds for
    a token in such a pass. With 0 cores torch's threads stay as they are.

    After a pass that was slower the next one is for one thread, which finds out whether the machine has become slower
    or the threads are to blame.
    """

    def __init__(self, cores: int = 0, alone: float = math.inf) -> None:
        self._cores, self._alone = cores, alone
        self._doubted, self._again = math.inf, 0.0  # what a token took together, when alone would have been quicker

    def threads_for(self, count: int) -> AbstractContextManager[None]:
        """Within it torch has the threads for a pass over `count` tokens."""
        return _AS_THEY_ARE if count < MANY else self._threads_for_many(count)

    @contextmanager
    def _threads_for_many(self, count: int) -> Iterator[None]:
        before, start = torch.get_num_threads(), time.monotonic()
        if self._cores in (0, before):
            yield
            return
        together = self.has_confidence(start)
        if together:
            torch.set_num_threads(self._cores)
        try:
            yield
        finally:
            torch.set_num_threads(before)
        now = time.monotonic()
        self.observe(together, (now - start) / count, now)

    def has_confidence(self, now: float) -> bool:
        """Whether the next pass gets all cores."""
        return self._doubted == math.inf and now >= self._again

    def observe(self, together: bool, pace: float, now: float) -> None:
        """A token took `pace` seconds in a pass on all cores, or on one thread."""
        if together:
            if pace > self._alone * _CLEARLY:
                self._doubted = pace
        elif self._doubted < math.inf:
            if pace * _CLEARLY < self._doubted:
                self._again = now + _BACKED_OFF
            self._alone, self._doubted = pace, math.inf
