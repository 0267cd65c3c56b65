"""How a CPU decodes fastest: decided by trying it on the model itself, within a few hundredths of a second.

A decode step is a chain of matrix-vector products, so it runs at the speed at which the weights are read. Which memory
layout a math library reads faster, and whether a second thread helps or only waits, differs between machines and with
what else they do.
"""

from __future__ import annotations

import statistics
import time

import torch

from ...models.devices import choose_threads
from ..events import SamplingSettings
from .decoder import Decoder
from .sampling import Sampler

_WORTHWHILE = 1.2  # more threads must be this much faster: they suffer most when another process wants a core
_TRIAL = 0.03  # seconds


def settle_speed(decoder: Decoder, requested_threads: int = 0) -> int:
    """On a CPU, choose layout and threads for `decoder`, and return the threads; 0 elsewhere: nothing to choose."""
    if decoder.device.type != "cpu":
        return 0
    most = choose_threads(requested_threads, leave_core=False)
    torch.set_num_threads(most if requested_threads else 1)
    by_rows = _seconds_per_token(decoder)
    _lay_out(decoder, by_columns=True)
    by_columns = _seconds_per_token(decoder)
    if by_rows < by_columns:
        _lay_out(decoder, by_columns=False)
    if most > torch.get_num_threads():
        torch.set_num_threads(most)
        if _seconds_per_token(decoder) * _WORTHWHILE > min(by_rows, by_columns):
            torch.set_num_threads(1)
    decoder.forget()
    return torch.get_num_threads()


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
