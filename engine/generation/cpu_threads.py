"""How many CPU threads a pass of the model gets: few to decode a token, all of them to prefill a prompt.

The step of a single token waits for memory. A pass over many tokens, a prompt or many samples, computes, which all
cores together do fastest. But where another process keeps a core busy, threads wait for each other at every operator,
and the pass takes several times as long as on one thread. So both kinds of pass are measured, and fall back to one
thread while it is faster.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

MANY = 16  # tokens in one pass, from which on computing takes the time and not the reading of the weights
CLEARLY_FASTER = 1.1  # what more threads must gain: they suffer most when another process wants a core
_SUSPECT = 1.5  # a decoded token that takes so much longer than one thread took for a short text
_SLOW_PREFILL = 1.2  # a pass on all cores that takes so much longer than on one thread: another process wants a core
EXTRA_TOKENS = 48  # a pass takes as long as its arithmetic and that of some more tokens, in which the weights are read
_BACK_OFF = 30.0  # seconds until all cores are tried again for a prefill
_UNCHANGED = nullcontext()


class PrefillThreads:
    """Gives passes over many tokens all `cores`, as long as that is not slower than one thread, which computes a token
    in `single_seconds`. With 0 cores torch's threads stay as they are.

    After a pass that was slower the next one is for one thread, which finds out whether the machine has become slower
    or the threads are to blame.
    """

    def __init__(self, cores: int = 0, single_seconds: float = math.inf) -> None:
        self._cores, self._single_seconds = cores, single_seconds
        self._slow_seconds = math.inf  # what a token took on all cores when that was slower than one thread
        self._next_try = 0.0

    def threads_for(self, n_tokens: int) -> AbstractContextManager[None]:
        """Within it torch has the threads for a pass over `n_tokens` tokens."""
        return _UNCHANGED if n_tokens < MANY else self._threads_for_many(n_tokens)

    @contextmanager
    def _threads_for_many(self, n_tokens: int) -> Iterator[None]:
        if self._cores < 2:
            yield
            return
        before, start = torch.get_num_threads(), time.monotonic()
        all_cores = self.uses_all_cores(start)
        torch.set_num_threads(self._cores if all_cores else 1)
        try:
            yield
        finally:
            torch.set_num_threads(before)
        now = time.monotonic()
        self.observe(all_cores, (now - start) / (n_tokens + EXTRA_TOKENS), now)

    def uses_all_cores(self, now: float) -> bool:
        """Whether the next pass gets all cores."""
        return self._slow_seconds == math.inf and now >= self._next_try

    def observe(self, all_cores: bool, seconds: float, now: float) -> None:
        """A token took `seconds` in a pass on all cores, or on one thread."""
        if all_cores:
            if seconds > self._single_seconds * _SLOW_PREFILL:
                self._slow_seconds = seconds
        elif self._slow_seconds < math.inf:
            if seconds * _SLOW_PREFILL < self._slow_seconds:
                self._next_try = now + _BACK_OFF
            self._single_seconds, self._slow_seconds = seconds, math.inf


class DecodeThreads:
    """The threads for decoding token by token: `threads` of them, as long as they help.

    Where another process takes one of their cores decoding becomes slower by ten times and more; one thread alone then
    keeps most of its speed.
    """

    def __init__(
        self, threads: int = 1, single_seconds: float = math.inf, prefill: PrefillThreads | None = None
    ) -> None:
        """`single_seconds` is what a token takes on one thread; `prefill` is for passes over many tokens."""
        self._threads, self._single_seconds, self._prefill = threads, single_seconds, prefill or PrefillThreads()
        self._n_slow, self._slow_seconds, self._gave_up = 0, math.inf, False

    def begin_reply(self, while_training: bool) -> PrefillThreads:
        """A reply begins; the threads for its prefill. Where a trainer wants the cores as well it gets one thread."""
        self._n_slow, self._slow_seconds, self._gave_up = 0, math.inf, while_training
        if self._threads > 1:
            torch.set_num_threads(1 if while_training else self._threads)
        return PrefillThreads() if while_training else self._prefill

    def observe(self, tokens: int, seconds: float) -> None:
        """`tokens` took `seconds`. Much slower than on one thread twice running (once may be a window that is read
        again): the rest of the reply gets one thread.

        If that turns out to be slower still, the machine has become slower, and the threads are not to blame.
        """
        if self._gave_up:
            return
        per_token = seconds / tokens
        if self._slow_seconds < math.inf:
            self._gave_up = self._slow_seconds * CLEARLY_FASTER > per_token
            torch.set_num_threads(1 if self._gave_up else self._threads)
            self._single_seconds, self._n_slow, self._slow_seconds = per_token, 0, math.inf
            return
        self._n_slow = self._n_slow + 1 if per_token > self._single_seconds * _SUSPECT else 0
        if self._n_slow == 2:
            self._slow_seconds = per_token
            torch.set_num_threads(1)
