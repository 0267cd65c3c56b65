"""The workloads of `benchmarks generate`, and the models that they are done with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from minigpt_tui.engine.requests import Quantization
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.presets import preset

from ..harness import OURS
from ..nanogpt import NAME as NANOGPT
from ..workloads import Workload

TRANSFORMERS, LLAMA = "transformers", "llama.cpp"
_SENTENCE = "THE OLD CLOCK STRUCK ONE, AND NOBODY IN THE HOUSE WAS ASLEEP. "


@dataclass(frozen=True)
class Shape:
    """A preset's model with random weights, and how many characters it knows."""

    preset: str
    characters: int
    words: str

    @property
    def config(self) -> ModelConfig:
        """The configuration of the model."""
        return replace(preset(self.preset).model, vocab_size=self.characters)


CHAR = Shape("nanogpt-char", 65, "10.65M")  # as many characters as Tiny Shakespeare has
GPT2 = Shape("gpt2", 50_257, "GPT-2 124M")


def alphabet(size: int) -> str:
    """A new line, and so many characters less one from the space on: what the models that are measured write.

    Also where there are as many as GPT-2 has tokens: its tokenizer would have to be downloaded, and no model computes
    anything else for it.
    """
    return "\n" + "".join(map(chr, range(32, 31 + size)))


def prompt_of(length: int, number: int = 0) -> str:
    """So many characters, which every model knows; each number begins otherwise."""
    return (f"{number}. " * (number > 0) + _SENTENCE * (length // len(_SENTENCE) + 1))[:length]


@dataclass(frozen=True, kw_only=True)
class GenerationWorkload(Workload):
    """What is generated, and what of it is measured."""

    shape: Shape
    measure: Literal["pace", "samples", "first"] = "pace"
    tokens: int = 250
    samples: int = 1
    quantize: Quantization = "none"
    targets: Mapping[str, str] = field(default_factory=dict)  # what is wanted beside each peer, or of ours alone

    @property
    def dtype(self) -> str:
        """The type of our weights."""
        return self.quantize if self.quantize != "none" else "bfloat16" if self.needs_gpu else "float32"


WORKLOADS: dict[str, GenerationWorkload] = {
    workload.name: workload
    for workload in (
        GenerationWorkload(
            name="char", description="250 tokens, 10.65M characters model, within the context of 256",
            shape=CHAR, targets={TRANSFORMERS: "2.5 x", NANOGPT: "16 x"},
        ),
        GenerationWorkload(
            name="char-500", description="500 tokens, the same, past its context",
            shape=CHAR, tokens=500, targets={TRANSFORMERS: "2.5 x", NANOGPT: "16 x"},
        ),
        GenerationWorkload(
            name="char-int8", description="250 tokens, the same in int8, with the change in loss",
            shape=CHAR, quantize="int8", targets={TRANSFORMERS: "4.5 x"},
        ),
        GenerationWorkload(
            name="char-500-int8", description="500 tokens, the same in int8",
            shape=CHAR, tokens=500, quantize="int8", targets={TRANSFORMERS: "4.5 x"},
        ),
        GenerationWorkload(
            name="gpt2", description="200 tokens, GPT-2's smallest size",
            shape=GPT2, tokens=200, targets={TRANSFORMERS: "1.3 x"},
        ),
        GenerationWorkload(
            name="gpt2-int8", description="200 tokens, the same in int8, with the change in loss",
            shape=GPT2, tokens=200, quantize="int8", targets={TRANSFORMERS: "2 x"},
        ),
        GenerationWorkload(
            name="char-64", description="64 texts of 250 tokens at once, 10.65M: tokens a second, and what limits them",
            shape=CHAR, measure="samples", samples=64,
        ),
        GenerationWorkload(
            name="first-token", description="a prompt of 200 tokens, 10.65M: milliseconds until the first text",
            shape=CHAR, measure="first", tokens=8, targets={OURS: "30 ms"},
        ),
        GenerationWorkload(
            name="gpu-char", description="500 tokens, 10.65M, bfloat16",
            shape=CHAR, tokens=500, needs_gpu=True, targets={OURS: "8,000/s"},
        ),
        GenerationWorkload(
            name="gpu-gpt2", description="200 tokens, GPT-2's smallest size, bfloat16",
            shape=GPT2, tokens=200, needs_gpu=True, targets={OURS: "3,000/s"},
        ),
        GenerationWorkload(
            name="gpu-char-64", description="64 texts of 250 tokens at once, 10.65M, bfloat16",
            shape=CHAR, measure="samples", samples=64, needs_gpu=True,
        ),
    )
}  # fmt: skip
