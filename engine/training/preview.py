"""A glimpse of what the model writes, while it trains."""

from __future__ import annotations

import torch

from ...data.tokenizers import Tokenizer
from ...models.cache import KVCache
from ...models.gpt import GPT
from ..events import SamplingSettings
from ..generation.sampling import Sampler

LENGTH = 200  # tokens


@torch.inference_mode()
def write_preview(model: GPT, tokenizer: Tokenizer, seed: int) -> str:
    """What the model writes from nothing at temperature 0.8; the model is left as it was.

    Not the generate process's decoder: that one lays the weights out anew for speed, and a model that trains cannot.
    """
    config, device, training = model.config, next(model.parameters()).device, model.training
    sampler = Sampler(SamplingSettings(temperature=0.8, seed=seed), device)
    newline, _ = tokenizer.drop_unknown("\n")
    ids = [tokenizer.encode(newline)[0] if newline else sampler.any_token(tokenizer.vocab_size)]
    cache = KVCache(config, 1, config.context_length, device, model.compute_dtype)
    unread = list(ids)
    model.eval()
    try:
        while len(ids) <= LENGTH:
            if cache.length + len(unread) > config.context_length:  # read the last half of the window anew
                cache.reset()
                unread = ids[-max(1, config.context_length // 2) :]
            logits = model(torch.tensor([unread], device=device), cache)[0, -1, : tokenizer.vocab_size]
            unread = [int(sampler.draw(logits))]
            ids += unread
    finally:
        model.train(training)
    return tokenizer.decode(ids[1:])
