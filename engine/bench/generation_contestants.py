"""Who takes turns in `bench generate`: the machine itself, and the peers; ours and theirs have figures of one kind.

tokens_per_second   of all texts together
milliseconds        from the request, or the call, to the end
share               per cent of the memory's bandwidth that reading the weights for each token takes
limit               what this machine allows at most, of whichever of the first two is compared
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ...data.tokenizers import CharTokenizer
from ..requests import SamplingSettings
from .answering_process import AnsweringProcess
from .generation_limits import Cost, Rates, weight_bytes
from .generation_peers.answering import TEMPERATURE, TOP_K
from .generation_rows import CHAR, LLAMA, NANOGPT, TRANSFORMERS, Row, alphabet
from .generation_setting import Setting
from .turns import Contestant, Figure

MACHINE = "this machine"
_SENTENCE = "THE OLD CLOCK STRUCK ONE, AND NOBODY IN THE HOUSE WAS ASLEEP. "


def prompt_of(length: int, number: int = 0) -> str:
    """So many characters, which every model knows; each number begins otherwise."""
    return (f"{number}. " * (number > 0) + _SENTENCE * (length // len(_SENTENCE) + 1))[:length]


def sampling(tokens: int, seed: int) -> SamplingSettings:
    """What ours samples with, as the peers do: temperature and top-k, which all of them have."""
    return SamplingSettings(temperature=TEMPERATURE, top_k=TOP_K, max_tokens=tokens, seed=seed)


class Machine:
    """The contestant that nobody passes: the best rates that it has shown so far, and what they allow."""

    def __init__(self, process: AnsweringProcess, cost: Cost, limit: Callable[[float], float]) -> None:
        """`limit` of the seconds that `cost` takes is the figure that it bounds."""
        self.contestant = Contestant(MACHINE, self._turn)
        self.rates: Rates | None = None
        self._process, self._cost, self._limit = process, cost, limit

    @classmethod
    def of(cls, setting: Setting, row: Row, device: str, cost: Cost, limit: Callable[[float], float]) -> Machine:
        """The machine that we run on."""
        dtype = "bfloat16" if row.needs_gpu else "float32"
        sizes = (int(cost.n_bytes), setting.far_more)
        process = setting.peer(MACHINE, "this_machine", *sizes, "--device", device, "--dtype", dtype)
        return cls(process, cost, limit)

    def figures(self, tokens: int, seconds: float, weights: float = 0.0) -> dict[str, Figure]:
        """The figures of anybody's turn; `weights` are the bytes that each token reads."""
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

    def _turn(self, repeat: int) -> Mapping[str, Figure]:
        figures = self._process.work()
        rates = Rates(**figures)
        self.rates = self.rates.best(rates) if self.rates else rates
        return figures


@dataclass(frozen=True)
class Job:
    """What each peer is to generate."""

    prompt: str
    tokens: int
    samples: int = 1
    device: str = "cpu"


def peers(setting: Setting, row: Row, job: Job, machine: Machine) -> Iterator[Contestant]:
    """Those that are there and can do the job.

    transformers and llama.cpp stop at the end of the context, so for a longer text they get a model with more
    positions, the same ones again. nanoGPT crops the text. llama-cpp-python writes one text at a time.
    """
    ids = CharTokenizer(alphabet(row.shape.characters)).encode(job.prompt)
    words = ("--prompt", ",".join(map(str, ids)), "--tokens", job.tokens, "--samples", job.samples)
    words += ("--device", job.device)
    folder, dtype = setting.checkpoint(row.shape), "bfloat16" if row.needs_gpu else "float32"
    longer = setting.checkpoint(row.shape, max(row.shape.config.context_length, len(ids) + job.tokens))

    def contestant(name: str, module: str, weights: str, *arguments: object) -> Contestant:
        process = setting.peer(name, module, *arguments)
        n_bytes = weight_bytes(row.shape.config, weights) if row.measure == "pace" else 0.0  # else shared by tokens

        def turn(repeat: int) -> Mapping[str, Figure]:
            done = process.work()
            return machine.figures(int(done["tokens"]), done["seconds"], n_bytes) | process.facts

        return Contestant(name, turn)

    if setting.has(TRANSFORMERS):
        yield contestant(TRANSFORMERS, "with_transformers", dtype, longer, *words, "--dtype", dtype)
    if setting.nanogpt and row.shape is CHAR and row.measure == "pace":
        checkout = ("--dtype", dtype, "--checkout", setting.nanogpt.path)
        yield contestant(NANOGPT, "with_nanogpt", dtype, folder, *words, *checkout)
    if setting.has(LLAMA) and job.samples == 1:
        for kind in ("bf16" if row.needs_gpu else "f32", "q8_0"):
            yield contestant(f"{LLAMA} {kind}", "with_llama_cpp", kind, setting.gguf(longer, kind), *words)
