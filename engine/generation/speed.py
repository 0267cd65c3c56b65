"""How a CPU decodes fastest: decided by trying it on the model itself, within a tenth of a second.

A decode step is a chain of matrix-vector products, so it runs at the speed at which the weights are read. Which memory
layout a math library reads faster, and whether a second thread helps or only waits, differs between machines and with
what else they do.
"""

from __future__ import annotations

import statistics
import time

import torch

from ...models.config import parameter_count
from ...models.devices import choose_threads
from ..events import SamplingSettings
from .decoder import Decoder
from .sampling import Sampler

_ONE_THREAD = 3_000_000  # parameters up to which a step is over before a second thread has woken
_CLEARLY = 1.2  # more threads must be this much faster: they suffer most when another process wants a core
_TRIAL = 0.02  # seconds


def settle_speed(decoder: Decoder, requested_threads: int = 0) -> int:
    """On a CPU, choose layout and threads for `decoder`, and return the threads; 0 elsewhere: nothing to choose."""
    if decoder.device.type != "cpu":
        return 0
    torch.set_num_threads(choose_threads(requested_threads, leave_core=False) if requested_threads else 1)
    _choose_layout(decoder)
    if not requested_threads and parameter_count(decoder.model.config) > _ONE_THREAD:
        _choose_threads(decoder)
    decoder.forget()
    return torch.get_num_threads()


def _choose_layout(decoder: Decoder) -> None:
    """Matrices by columns, unless reading them by rows is clearly faster."""
    by_rows = _seconds_per_token(decoder)
    _lay_out(decoder, by_columns=True)
    if by_rows * _CLEARLY < _seconds_per_token(decoder):
        _lay_out(decoder, by_columns=False)


def _choose_threads(decoder: Decoder) -> None:
    """One thread, unless all cores are clearly faster, both times that they are tried."""
    cores = choose_threads(0, leave_core=False)
    for _ in range(2):
        torch.set_num_threads(cores)
        together = _seconds_per_token(decoder)
        torch.set_num_threads(1)
        if together * _CLEARLY > _seconds_per_token(decoder):
            return
    torch.set_num_threads(cores)


def _lay_out(decoder: Decoder, by_columns: bool) -> None:
    """Reorder the matrices in memory; their shapes and values stay."""
    for matrix in decoder.model.hidden_matrices():
        matrix.data = matrix.data.t().contiguous().t() if by_columns else matrix.data.contiguous()


def _seconds_per_token(decoder: Decoder) -> float:
    tokens = decoder.tokens([0], Sampler(SamplingSettings(temperature=0), decoder.device))
    next(tokens)
    seconds: list[float] = []
    while len(seconds) < 3 or (sum(seconds) < _TRIAL and len(seconds) < 20):
        start = time.perf_counter()
        next(tokens)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)
