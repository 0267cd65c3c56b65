"""Losses that others have published, as lines to compare with: each with the text and the tokens that it holds for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ReferenceLine:
    """A published validation loss in nats per token."""

    name: str
    loss: float
    holds_for: str  # the text and the tokenizer: losses over other texts or tokens are no measure
    source: str


_NANOGPT = "the README of karpathy/nanoGPT"

REFERENCE_LINES = (
    ReferenceLine("nanoGPT char", 1.4697, "Tiny Shakespeare, characters, 6 layers of 384", _NANOGPT),
    ReferenceLine("nanoGPT char CPU", 1.88, "Tiny Shakespeare, characters, 4 layers of 128, 2,000 steps", _NANOGPT),
    ReferenceLine("nanoGPT 124M", 2.85, "OpenWebText, GPT-2's tokens, trained on it", _NANOGPT),
    ReferenceLine("GPT-2 124M", 3.12, "OpenWebText, GPT-2's tokens, not trained on it", _NANOGPT),
    ReferenceLine("GPT-2 350M", 2.84, "OpenWebText, GPT-2's tokens, not trained on it", _NANOGPT),
    ReferenceLine("GPT-2 774M", 2.67, "OpenWebText, GPT-2's tokens, not trained on it", _NANOGPT),
    ReferenceLine("GPT-2 1558M", 2.54, "OpenWebText, GPT-2's tokens, not trained on it", _NANOGPT),
)
