"""The roofline of generation: what a step costs at least, and how fast a machine can therefore be at best.

A step reads every weight once, and the keys and values of each text; it multiplies each text with each weight.
Whichever takes longer at the measured rates is the limit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from minigpt_tui.models.config import ModelConfig, matrix_parameters

from ..harness import Candidate, Figure
from .peers.protocol import PeerProcess
from .setup import GenerationSetup
from .workloads import GenerationWorkload

MACHINE = "this machine"
# Of a weight; the scales of our own eight bits are left out.
BYTES = {"float32": 4.0, "f32": 4.0, "bfloat16": 2.0, "bf16": 2.0, "int8": 1.0, "q8_0": 34 / 32}


@dataclass(frozen=True)
class Rates:
    """What a machine does in a second."""

    memory_bandwidth: float  # bytes read, of far more than the caches hold
    weights_bandwidth: float  # bytes read, of as many as a step reads, again and again
    product_speed: float  # floating-point operations in a matrix product

    def best(self, other: Rates) -> Rates:
        """The better of both, each."""
        return Rates(
            max(self.memory_bandwidth, other.memory_bandwidth),
            max(self.weights_bandwidth, other.weights_bandwidth),
            max(self.product_speed, other.product_speed),
        )


@dataclass(frozen=True)
class Cost:
    """What cannot be avoided: bytes that are read, and floating-point operations in matrix products."""

    n_bytes: float
    operations: float

    def reading(self, rates: Rates) -> float:
        """Seconds of reading."""
        return self.n_bytes / rates.weights_bandwidth

    def multiplying(self, rates: Rates) -> float:
        """Seconds of arithmetic."""
        return self.operations / rates.product_speed

    def seconds(self, rates: Rates) -> float:
        """Both go on at the same time, so the longer one counts."""
        return max(self.reading(rates), self.multiplying(rates))


def weight_bytes(config: ModelConfig, dtype: str) -> float:
    """Bytes of the weights that every token is multiplied with."""
    return matrix_parameters(config) * BYTES[dtype]


def step_cost(config: ModelConfig, dtype: str, texts: int, positions: float) -> Cost:
    """One more token of each of `texts`, which on average have so many `positions` behind them.

    Keys and values have the type of the activations; int8 weights leave that at float32.
    """
    cached = 2 * config.n_layer * config.kv_heads * config.size_per_head * positions
    attention = 4 * config.n_layer * config.n_head * config.size_per_head * positions
    return Cost(
        weight_bytes(config, dtype) + texts * cached * max(BYTES["bfloat16"], BYTES[dtype]),
        texts * (2 * matrix_parameters(config) + attention),
    )


def prompt_cost(config: ModelConfig, dtype: str, tokens: int) -> Cost:
    """Reading a prompt in one pass; only its last token needs the output layer."""
    head = config.vocab_size * config.d_model
    attention = 4 * config.n_layer * config.n_head * config.size_per_head * tokens / 2
    each = 2 * (matrix_parameters(config) - head) + attention
    return Cost(weight_bytes(config, dtype), tokens * each + 2 * head)


class Roofline:
    """The candidate that no other passes: the best rates that the machine has shown so far, and what they allow."""

    def __init__(self, process: PeerProcess, cost: Cost, limit: Callable[[float], float]) -> None:
        """`limit` of the seconds that `cost` takes is the figure that it bounds."""
        self.candidate = Candidate(MACHINE, self._trial)
        self.rates: Rates | None = None
        self._process, self._cost, self._limit = process, cost, limit

    @classmethod
    def of(
        cls, setup: GenerationSetup, workload: GenerationWorkload, device: str, cost: Cost,
        limit: Callable[[float], float],
    ) -> Roofline:  # fmt: skip
        """The roofline of the machine that we run on."""
        dtype = "bfloat16" if workload.needs_gpu else "float32"
        sizes = (int(cost.n_bytes), setup.far_more)
        process = setup.peer(MACHINE, "this_machine", *sizes, "--device", device, "--dtype", dtype)
        return cls(process, cost, limit)

    def figures(self, tokens: int, seconds: float, weights: float = 0.0) -> dict[str, Figure]:
        """The figures of any candidate's trial; `weights` are the bytes that each token reads."""
        figures: dict[str, Figure] = {"tokens_per_second": tokens / seconds, "milliseconds": 1000 * seconds}
        if self.rates:
            figures["limit"] = self._limit(self._cost.seconds(self.rates))
            if weights:
                figures["share"] = 100 * weights * tokens / seconds / self.rates.memory_bandwidth
        return figures

    @property
    def bound(self) -> str:
        """What sets the limit, as a clause; nothing before anything was measured."""
        if not (rates := self.rates):
            return ""
        reading, multiplying = self._cost.reading(rates), self._cost.multiplying(rates)
        return (
            f"each step reads {self._cost.n_bytes / 1e6:,.0f} MB, {1000 * reading:.2f} ms at "
            f"{rates.weights_bandwidth / 1e9:,.0f} GB/s, and multiplies for {1000 * multiplying:.2f} ms at "
            f"{rates.product_speed / 1e9:,.0f} GFLOP/s, so {'memory' if reading >= multiplying else 'arithmetic'} "
            "sets the limit"
        )

    def _trial(self, repeat: int) -> Mapping[str, Figure]:
        figures = self._process.trial()
        rates = Rates(**figures)
        self.rates = self.rates.best(rates) if self.rates else rates
        return figures
