"""A glimpse of what the model writes, while it trains."""

from __future__ import annotations

from ...data.tokenizers import Tokenizer
from ...models.gpt import GPT
from ..events import SamplingSettings
from ..generation.decoder import Decoder
from ..generation.reply import Reply

LENGTH = 200  # tokens


def write_preview(model: GPT, tokenizer: Tokenizer, seed: int) -> str:
    """What the model writes from nothing at temperature 0.8; training goes on undisturbed afterwards.

    Raises DecodeError where the weights give no probabilities.
    """
    try:
        settings = SamplingSettings(temperature=0.8, max_tokens=LENGTH, seed=seed)
        return "".join(Reply(Decoder(model, tokenizer), "", settings))
    finally:
        model.train().requires_grad_(True)  # a decoder freezes its model
