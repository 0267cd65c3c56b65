"""How a CPU decodes fastest: decided by trying it on the model itself, within a fifth of a second.

A decode step is a chain of matrix-vector products, so it runs at the speed at which the weights are read. Which memory
layout is read faster, and whether a second thread helps or only waits, differs between machines and with what else
they do.
"""

from __future__ import annotations

import math
import statistics
import time

import torch

from ...models.config import parameter_count
from ...models.devices import choose_threads
from ...models.fast.decoding import lay_out
from ..requests import SamplingSettings
from .decoder import Decoder
from .prefill_threads import MANY, Crowd
from .sampling import Sampler

_ONE_THREAD = 3_000_000  # parameters up to which a step is over before a second thread has woken
_CLEARLY = 1.1  # more threads must be this much faster: they suffer most when another process wants a core
_HELD_UP = 1.5  # and are suspected where a token takes so much longer than one thread took for a short text
_TRIAL = 0.01  # seconds
_ROUNDS = 7  # trials of each number of threads, in turns: a machine's speed changes from moment to moment


class Pace:
    """Keeps the chosen threads as long as they help.

    Where another process takes one of their cores they wait for each other at every product, and decoding becomes
    slower by ten times and more; one thread alone then keeps most of its speed.
    """

    def __init__(self, threads: int = 1, alone: float = math.inf, crowd: Crowd | None = None) -> None:
        """`alone` is what a token takes on one thread, in seconds; `crowd` is for passes over many tokens."""
        self._threads, self._alone, self._crowd = threads, alone, crowd or Crowd()
        self._slow, self._together, self._given_up = 0, math.inf, False

    def begin(self, decoder: Decoder, crowded: bool) -> None:
        """A reply of `decoder` begins; `crowded` says that a trainer wants the cores as well: it gets one thread."""
        self._slow, self._together, self._given_up = 0, math.inf, crowded
        decoder.crowd = Crowd() if crowded else self._crowd
        if self._threads > 1:
            torch.set_num_threads(1 if crowded else self._threads)

    def observe(self, tokens: int, seconds: float) -> None:
        """`tokens` took `seconds`. Much slower than alone twice running (once may be a re-read window): go on alone.

        If that turns out to be slower still, the machine has become slower, and the threads are not to blame.
        """
        pace = seconds / tokens
        if self._given_up:
            return
        if self._together < math.inf:
            self._given_up = self._together * _CLEARLY > pace
            torch.set_num_threads(1 if self._given_up else self._threads)
            self._alone, self._slow, self._together = pace, 0, math.inf
            return
        self._slow = self._slow + 1 if pace > self._alone * _HELD_UP else 0
        if self._slow == 2:
            self._together = pace
            torch.set_num_threads(1)


def settle_speed(decoder: Decoder, requested_threads: int = 0) -> Pace:
    """On a CPU, choose layout and threads for `decoder`; elsewhere there is nothing to choose."""
    if decoder.device.type != "cpu":
        return Pace()
    torch.set_num_threads(choose_threads(requested_threads, leave_core=False) if requested_threads else 1)
    if decoder.model.hidden_matrices():  # int8 ones have one layout
        _choose_layout(decoder)
    pace = Pace()
    if not requested_threads and parameter_count(decoder.model.config) > _ONE_THREAD:
        pace = _choose_threads(decoder)
    decoder.forget()
    return pace


def _choose_layout(decoder: Decoder) -> None:
    """Matrices by columns, unless reading them by rows is clearly faster."""
    by_rows = _seconds_per_token(decoder)
    lay_out(decoder.model, by_columns=True)
    if by_rows * _CLEARLY < _seconds_per_token(decoder):
        lay_out(decoder.model, by_columns=False)


def _choose_threads(decoder: Decoder) -> Pace:
    """One thread, unless all cores are clearly faster; for many tokens all of them."""
    cores = choose_threads(0, leave_core=False)
    crowd = Crowd(cores, _seconds_for_each_of_many(decoder))
    together, alone = [], []
    for _ in range(_ROUNDS):
        for threads, seconds in ((cores, together), (1, alone)):
            torch.set_num_threads(threads)
            seconds.append(_seconds_per_token(decoder))
    gain = statistics.median(one / all_ for one, all_ in zip(alone, together, strict=True))
    return Pace(cores, statistics.median(alone), crowd) if gain > _CLEARLY else Pace(crowd=crowd)


def _seconds_per_token(decoder: Decoder) -> float:
    tokens = decoder.tokens([0], Sampler(SamplingSettings(temperature=0), decoder.tokenizer.vocab_size, decoder.device))
    next(tokens)
    seconds: list[float] = []
    while len(seconds) < 3 or (sum(seconds) < _TRIAL and len(seconds) < 20):
        start = time.perf_counter()
        next(tokens)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def _seconds_for_each_of_many(decoder: Decoder) -> float:
    """What a token takes on torch's present threads, in a pass over as few as count as many."""
    ids = [0] * min(MANY, decoder.context_length)
    seconds = math.inf
    for _ in range(2):  # the first sets things up
        decoder.forget()
        start = time.perf_counter()
        decoder.begin(ids)
        seconds = min(seconds, time.perf_counter() - start)
    return seconds / len(ids)
