"""How a CPU decodes fastest: decided by trying it on the model itself, within a tenth of a second.

A decode step is a chain of matrix-vector products, so it runs at the speed at which the weights are read. Whether a
second thread helps or only waits differs between machines and with what else they do.
"""

from __future__ import annotations

import statistics
import time

import torch

from ...models.config import parameter_count
from ...models.devices import choose_threads
from ...models.fast.decoding import set_multiply
from ..requests import SamplingSettings
from .cpu_threads import CLEARLY_FASTER, EXTRA_TOKENS, DecodeThreads, PrefillThreads
from .decoder import Decoder
from .fastest_product import fastest_product, ways
from .sampling import Sampler

_ONE_THREAD = 3_000_000  # parameters up to which a step is over before a second thread has woken
_TRIAL = 0.005  # seconds
_USUAL_PROMPT = 200  # tokens
_ROUNDS = 7  # trials of each number of threads, in turns: a machine's speed changes from moment to moment


def tune_for_cpu(decoder: Decoder, requested_threads: int = 0) -> DecodeThreads:
    """On a CPU, choose the products and the threads for `decoder`; elsewhere there is nothing to choose."""
    if decoder.device.type != "cpu":
        return DecodeThreads()
    torch.set_num_threads(choose_threads(requested_threads, leave_core=False) if requested_threads else 1)
    if parameter_count(decoder.model.config) <= _ONE_THREAD:
        return DecodeThreads()
    cores = choose_threads(0, leave_core=False)
    if decoder.model.compute_dtype == torch.float32:
        set_multiply(decoder.model, ways()[fastest_product(cores)])
    if requested_threads:
        return DecodeThreads()
    threads = _choose_threads(decoder, cores, PrefillThreads(cores, _prefill_seconds_per_token(decoder, cores)))
    decoder.clear_cache()
    return threads


def _choose_threads(decoder: Decoder, cores: int, prefill: PrefillThreads) -> DecodeThreads:
    """To decode one thread, unless all cores are clearly faster."""
    on_all_cores, on_one = [], []
    for _ in range(_ROUNDS):
        for threads, seconds in ((cores, on_all_cores), (1, on_one)):
            torch.set_num_threads(threads)
            seconds.append(_seconds_per_token(decoder))
    gain = statistics.median(one / all_ for one, all_ in zip(on_one, on_all_cores, strict=True))
    if gain > CLEARLY_FASTER:
        return DecodeThreads(cores, statistics.median(on_one), prefill)
    return DecodeThreads(prefill=prefill)


def _prefill_seconds_per_token(decoder: Decoder, cores: int) -> float:
    """On one thread, in a pass of usual length, after one on all cores: a first pass takes half as long again."""
    ids = [0] * min(_USUAL_PROMPT, decoder.context_length)
    for threads in (cores, 1):
        torch.set_num_threads(threads)
        decoder.clear_cache()
        start = time.perf_counter()
        decoder.prefill(ids)
    return (time.perf_counter() - start) / (len(ids) + EXTRA_TOKENS)


def _seconds_per_token(decoder: Decoder) -> float:
    tokens = decoder.tokens([0], Sampler(SamplingSettings(temperature=0), decoder.vocab_size, decoder.device))
    next(tokens)
    seconds: list[float] = []
    while len(seconds) < 3 or (sum(seconds) < _TRIAL and len(seconds) < 20):
        start = time.perf_counter()
        next(tokens)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)
