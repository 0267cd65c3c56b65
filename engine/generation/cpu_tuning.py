"""How a CPU decodes fastest: decided by trying it on the model itself, within a fifth of a second.

A decode step is a chain of matrix-vector products, so it runs at the speed at which the weights are read. Whether a
second thread helps or only waits differs between machines and with what else they do.
"""

from __future__ import annotations

import math
import statistics
import time

import torch

from ...models.config import parameter_count
from ...models.devices import choose_threads
from ..requests import SamplingSettings
from .cpu_threads import CLEARLY_FASTER, MANY, DecodeThreads, PrefillThreads
from .decoder import Decoder
from .sampling import Sampler

_ONE_THREAD = 3_000_000  # parameters up to which a step is over before a second thread has woken
_TRIAL = 0.01  # seconds
_ROUNDS = 7  # trials of each number of threads, in turns: a machine's speed changes from moment to moment


def tune_for_cpu(decoder: Decoder, requested_threads: int = 0) -> DecodeThreads:
    """On a CPU, choose the threads for `decoder`; elsewhere there is nothing to choose."""
    if decoder.device.type != "cpu":
        return DecodeThreads()
    torch.set_num_threads(choose_threads(requested_threads, leave_core=False) if requested_threads else 1)
    threads = DecodeThreads()
    if not requested_threads and parameter_count(decoder.model.config) > _ONE_THREAD:
        threads = _choose_threads(decoder)
    decoder.clear_cache()
    return threads


def _choose_threads(decoder: Decoder) -> DecodeThreads:
    """To decode one thread, unless all cores are clearly faster; to prefill all of them."""
    cores = choose_threads(0, leave_core=False)
    prefill = PrefillThreads(cores, _prefill_seconds_per_token(decoder))
    on_all_cores, on_one = [], []
    for _ in range(_ROUNDS):
        for threads, seconds in ((cores, on_all_cores), (1, on_one)):
            torch.set_num_threads(threads)
            seconds.append(_seconds_per_token(decoder))
    gain = statistics.median(one / all_ for one, all_ in zip(on_one, on_all_cores, strict=True))
    if gain > CLEARLY_FASTER:
        return DecodeThreads(cores, statistics.median(on_one), prefill)
    return DecodeThreads(prefill=prefill)


def _seconds_per_token(decoder: Decoder) -> float:
    tokens = decoder.tokens([0], Sampler(SamplingSettings(temperature=0), decoder.vocab_size, decoder.device))
    next(tokens)
    seconds: list[float] = []
    while len(seconds) < 3 or (sum(seconds) < _TRIAL and len(seconds) < 20):
        start = time.perf_counter()
        next(tokens)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def _prefill_seconds_per_token(decoder: Decoder) -> float:
    """On torch's present threads, in a pass over as few tokens as count as many."""
    ids = [0] * min(MANY, decoder.context_length)
    seconds = math.inf
    for _ in range(2):  # the first sets things up
        decoder.clear_cache()
        start = time.perf_counter()
        decoder.prefill(ids)
        seconds = min(seconds, time.perf_counter() - start)
    return seconds / len(ids)
