"""By what a CPU multiplies the many rows of a prompt fastest: tried once, remembered by processor and version of torch.

torch multiplies float32 matrices by MKL, which on AMD's processors makes little use of the wide vectors; there oneDNN
takes half the time. Elsewhere it is the other way round.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from ...data.storage.memo import recall, remember
from ...models.cpu import cpu_name
from ...models.fast import onednn
from ...models.gpt import Multiply
from .. import paths

_SHAPES = ((384, 1536), (1536, 384))  # in, out: of a small model, whose matrices a cache holds
_ROWS = 192  # tokens of a prompt
_ROUNDS = 5  # of both ways in turns; the fastest counts, because whatever disturbs can only make one slower
_CLEARLY_FASTER = 1.1  # what oneDNN must gain: it compiles a kernel for each shape
_MOST = 20  # processors and versions that are remembered


def ways() -> dict[str, Multiply]:
    """The ways to multiply there are, by name."""
    return {"torch": F.linear} | ({"onednn": onednn.linear} if onednn.is_available() else {})


def fastest_product(cores: int) -> str:
    """The way on so many cores: what was found before on such a processor, or what a trial of some 50 ms finds now."""
    path, key = _path(), _key(cores)
    known = recall(path)
    known = known if isinstance(known, dict) else {}
    if isinstance(found := known.get(key), str) and found in ways():
        return found
    found = _try_ways(cores)
    others: dict[str, Any] = {name: value for name, value in known.items() if name != key}
    remember(path, dict(list(others.items())[-_MOST + 1 :]) | {key: found})
    return found


def _path() -> Path:
    return paths.cache_dir() / "products.json"


def _key(cores: int) -> str:
    return f"{cpu_name()}, {torch.backends.cpu.get_cpu_capability()}, {cores} cores, torch {torch.__version__}"


@torch.inference_mode()
def _try_ways(cores: int) -> str:
    generator = torch.Generator().manual_seed(0)
    products = [(torch.randn(_ROWS, inner, generator=generator), torch.randn(out, inner, generator=generator))
                for inner, out in _SHAPES]  # fmt: skip
    candidates, before = ways(), torch.get_num_threads()

    def seconds(multiply: Multiply) -> float:
        start = time.perf_counter()
        for x, weight in products:
            multiply(x, weight, None)
        return time.perf_counter() - start

    torch.set_num_threads(cores)
    try:
        best = dict.fromkeys(candidates, float("inf"))
        for turn in range(_ROUNDS + 1):
            for name, multiply in candidates.items():
                taken = seconds(multiply)
                best[name] = min(best[name], taken) if turn else best[name]  # the first of each sets things up
    finally:
        torch.set_num_threads(before)
    return min(best, key=lambda name: best[name] * (_CLEARLY_FASTER if name != "torch" else 1))
