"""By what a CPU multiplies the many rows of a prompt fastest: tried once, remembered by processor and version of torch.

torch multiplies float32 matrices by MKL, which on AMD's processors makes little use of the wide vectors; there oneDNN
takes half the time. Elsewhere it is the other way round.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from ...data.storage.memo import recall, remember
from ...data.storage.typed_json import SchemaError, from_plain
from ...models.cpu import cpu_name
from ...models.fast import onednn
from ...models.gpt import Multiply
from .. import paths

_SHAPES = ((384, 1536), (1536, 384))  # in, out: of a small model, whose matrices a cache holds
_ROWS = 192  # tokens of a prompt
_ROUNDS = 5  # of both ways in turns; the fastest counts, because whatever disturbs can only make one slower
_CLEARLY_FASTER = 1.1  # what oneDNN must gain: it compiles a kernel for each shape
_MOST = 20  # processors and versions that are remembered


@dataclass(frozen=True)
class ProductSpeed:
    """Which way is the fastest, and how many floating-point operations one thread does in a second that way."""

    way: str
    speed: float

    @property
    def multiply(self) -> Multiply:
        """The way as a function."""
        return ways().get(self.way, F.linear)


def ways() -> dict[str, Multiply]:
    """The ways to multiply there are, by name."""
    return {"torch": F.linear} | ({"onednn": onednn.linear} if onednn.is_available() else {})


def fastest_product(cores: int) -> ProductSpeed:
    """On so many cores: what was found before on such a processor, or what a trial of some 50 ms finds now."""
    path, key = _path(), _key(cores)
    known = recall(path)
    known = known if isinstance(known, dict) else {}
    try:
        found = from_plain(ProductSpeed, known.get(key))
        if found.way in ways() and found.speed > 0:
            return found
    except SchemaError:
        pass
    found = _try_ways(cores)
    others: dict[str, Any] = {name: value for name, value in known.items() if name != key}
    remember(path, dict(list(others.items())[-_MOST + 1 :]) | {key: asdict(found)})
    return found


def _path() -> Path:
    return paths.cache_dir() / "products.json"


def _key(cores: int) -> str:
    return f"{cpu_name()}, {torch.backends.cpu.get_cpu_capability()}, {cores} cores, torch {torch.__version__}"


@torch.inference_mode()
def _try_ways(cores: int) -> ProductSpeed:
    generator = torch.Generator().manual_seed(0)
    products = [(torch.randn(_ROWS, inner, generator=generator), torch.randn(out, inner, generator=generator))
                for inner, out in _SHAPES]  # fmt: skip
    candidates, before = ways(), torch.get_num_threads()

    def seconds(multiply: Multiply, threads: int) -> float:
        torch.set_num_threads(threads)
        start = time.perf_counter()
        for x, weight in products:
            multiply(x, weight, None)
        return time.perf_counter() - start

    try:
        best = dict.fromkeys(candidates, float("inf"))
        for turn in range(_ROUNDS + 1):
            for name, multiply in candidates.items():
                taken = seconds(multiply, cores)
                best[name] = min(best[name], taken) if turn else best[name]  # the first of each sets things up
        way = min(best, key=lambda name: best[name] * (_CLEARLY_FASTER if name != "torch" else 1))
        alone = min(seconds(candidates[way], 1) for _ in range(_ROUNDS))
    finally:
        torch.set_num_threads(before)
    operations = sum(2 * _ROWS * inner * out for inner, out in _SHAPES)
    return ProductSpeed(way, operations / alone)
