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
    """

    def __init__(self, cores: int = 0, alone: float = math.inf) -> None:
        self._cores, self._alone, self._again = cores, alone, 0.0

    def threads_for(self, count: int) -> AbstractContextManager[None]:
        """Within it torch has the threads for a pass over `count` tokens."""
        return _AS_THEY_ARE if count < MANY else self._threads_for_many(count)

    @contextmanager
    def _threads_for_many(self, count: int) -> Iterator[None]:
        before, start = torch.get_num_threads(), time.monotonic()
        if self._cores in (0, before) or start < self._again:
            yield
            return
        torch.set_num_threads(self._cores)
        try:
            yield
        finally:
            torch.set_num_threads(before)
        if time.monotonic() - start > count * self._alone * _CLEARLY:
            self._again = time.monotonic() + _BACKED_OFF
