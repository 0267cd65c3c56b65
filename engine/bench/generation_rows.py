"""The pieces of work that `bench generate` knows by name, and the models that they are done with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from ...models.config import ModelConfig
from ...models.presets import preset
from ..requests import Quantization
from .measurements import OURS

TRANSFORMERS, NANOGPT, LLAMA = "transformers", "nanoGPT", "llama.cpp"


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


@dataclass(frozen=True)
class Row:
    """A piece of work: its name, one line of what is measured, and how. `targets` are wanted beside whom it names."""

    name: str
    work: str
    shape: Shape
    measure: Literal["pace", "samples", "first"] = "pace"
    tokens: int = 250
    samples: int = 1
    quantize: Quantization = "none"
    needs_gpu: bool = False
    targets: Mapping[str, str] = field(default_factory=dict)

    @property
    def dtype(self) -> str:
        """The type of our weights."""
        return self.quantize if self.quantize != "none" else "bfloat16" if self.needs_gpu else "float32"


_FLOAT, _INT8 = {TRANSFORMERS: "2.5 x", NANOGPT: "16 x"}, {TRANSFORMERS: "4.5 x"}
ROWS: dict[str, Row] = {
    row.name: row
    for row in (
        Row("char", "250 tokens, 10.65M characters model, within the context of 256", CHAR, targets=_FLOAT),
        Row("char-500", "500 tokens, the same, past its context", CHAR, tokens=500, targets=_FLOAT),
        Row("char-int8", "250 tokens, the same in int8, with the change in loss", CHAR, quantize="int8", targets=_INT8),
        Row("char-500-int8", "500 tokens, the same in int8", CHAR, tokens=500, quantize="int8", targets=_INT8),
        Row("gpt2", "200 tokens, GPT-2's smallest size", GPT2, tokens=200, targets={TRANSFORMERS: "1.3 x"}),
        Row("gpt2-int8", "200 tokens, the same in int8, with the change in loss", GPT2, tokens=200, quantize="int8",
            targets={TRANSFORMERS: "2 x"}),
        Row("char-64", "64 texts of 250 tokens at once, 10.65M: tokens a second, and what limits them", CHAR,
            "samples", samples=64),
        Row("first-token", "a prompt of 200 tokens, 10.65M: milliseconds until the first text", CHAR, "first", tokens=8,
            targets={OURS: "30 ms"}),
        Row("gpu-char", "500 tokens, 10.65M, bfloat16", CHAR, tokens=500, needs_gpu=True, targets={OURS: "8,000/s"}),
        Row("gpu-gpt2", "200 tokens, GPT-2's smallest size, bfloat16", GPT2, tokens=200, needs_gpu=True,
            targets={OURS: "3,000/s"}),
        Row("gpu-char-64", "64 texts of 250 tokens at once, 10.65M, bfloat16", CHAR, "samples", samples=64,
            needs_gpu=True),
    )
}  # fmt: skip
