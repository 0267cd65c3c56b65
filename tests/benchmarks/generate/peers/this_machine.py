"""The machine itself: how fast it reads memory and multiplies, which no program that runs on it can pass.

A decode step reads every weight once, so the rate at which memory is read bounds it; how fast that is depends on how
much of what is read lies in caches. So it is measured twice, over as many bytes as the weights have, again and again,
and over far more than any cache holds. The best of several operators, each repeated with one thread and with all, is
what counts: whatever disturbs can only make it slower.
"""

from __future__ import annotations

import argparse
import functools
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from minigpt_tui.models.devices import DTYPES
from minigpt_tui.models.fast import onednn

from .protocol import PeerServer

ALL_THREADS = torch.get_num_threads()
_ROW = 1024  # numbers that one partial sum is over
_PRODUCTS = ((768, 2048, 512), (4096, 384, 1536), (8192, 4096, 4096))  # rows, in, out; the last for a GPU alone
_LEAST, _SECONDS = 5, 0.05  # each operator is tried until it has had both, so many calls and so many seconds


def read_bandwidth(n_bytes: int, device: torch.device) -> float:
    """Bytes per second at which `n_bytes` are read."""
    numbers = torch.ones(max(1, n_bytes // 4 // _ROW), _ROW, device=device)
    rows, target, size = numbers.flatten(), torch.empty_like(numbers), numbers.numel() * 4
    return max(
        size / _best(lambda: rows.sum(), device),
        size / _best(lambda: numbers.sum(1), device),
        2 * size / _best(lambda: target.copy_(numbers), device),  # read, and written
    )


def product_speed(dtype: torch.dtype, device: torch.device) -> float:
    """Floating-point operations per second of a large matrix product."""
    multiplies = [F.linear, onednn.linear] if device.type == "cpu" and onednn.is_available() else [F.linear]
    speeds = []
    for rows, inner, columns in _PRODUCTS if device.type != "cpu" else _PRODUCTS[:2]:
        x, weight = (torch.ones(n, inner, dtype=dtype, device=device) for n in (rows, columns))
        for multiply in multiplies:
            seconds = _best(functools.partial(multiply, x, weight), device)
            speeds.append(2 * rows * inner * columns / seconds)
    return max(speeds)


def _best(operator: Callable[[], object], device: torch.device) -> float:
    """Seconds of the fastest of several calls; on a GPU of the mean of several, which hides the time of a launch."""
    calls = 1 if device.type == "cpu" else 20
    best = float("inf")
    for threads in {1, ALL_THREADS}:
        torch.set_num_threads(threads)
        seconds: list[float] = []
        while len(seconds) < _LEAST or sum(seconds) < _SECONDS:
            start = time.perf_counter()
            for _ in range(calls):
                operator()
            if device.type != "cpu":
                getattr(torch, device.type).synchronize()
            seconds.append(time.perf_counter() - start)
        best = min(best, *seconds)
    return best / calls


def main() -> None:
    """Measure for each line on standard input."""
    server, parser = PeerServer(), argparse.ArgumentParser()
    parser.add_argument("weights", type=int, help="bytes that a step reads")
    parser.add_argument("far_more", type=int, help="bytes that no cache holds")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)

    def measure() -> dict[str, float]:
        return {
            "memory_bandwidth": read_bandwidth(arguments.far_more, device),
            "weights_bandwidth": read_bandwidth(arguments.weights, device),
            "product_speed": product_speed(DTYPES[arguments.dtype], device),
        }

    server.serve({}, measure)


if __name__ == "__main__":
    main()
