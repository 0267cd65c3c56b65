"""From logits to the next token: temperature, top-k, top-p, and one seeded draw.

The filters keep the sets that transformers' TemperatureLogitsWarper, TopKLogitsWarper and TopPLogitsWarper keep, in
that order. The draw is the exponential race argmax(p / Exp(1)): the distribution of torch.multinomial without its wait
for the device (gpt-fast, generate.py).
"""

from __future__ import annotations

import secrets

import torch
from torch import Tensor

from ..events import SamplingSettings

_COLDEST = 1e-5  # below it the division overflows float32, and the result is greedy anyway
_SHORTEST = torch.finfo(torch.float32).tiny  # Exp(1) may round to 0, and 0 / 0 would win the race


def filtered(logits: Tensor, settings: SamplingSettings) -> Tensor:
    """Logits [V] over the temperature (above 0), with -inf at each token that top-k or top-p leaves out."""
    logits = logits / settings.temperature
    if 0 < settings.top_k < logits.shape[-1]:
        smallest_kept = logits.topk(settings.top_k).values[-1]
        logits = logits.masked_fill(logits < smallest_kept, -torch.inf)
    if settings.top_p < 1:
        ascending, order = logits.sort()
        left_out = ascending.softmax(-1).cumsum(-1) <= 1 - settings.top_p
        left_out[-1] = False  # the likeliest token stays, however small top_p is
        logits = logits.masked_fill(torch.zeros_like(left_out).scatter_(0, order, left_out), -torch.inf)
    return logits


class Sampler:
    """Draws tokens; the same settings, seed and logits draw the same tokens on the same kind of device."""

    def __init__(self, settings: SamplingSettings, device: torch.device) -> None:
        self.settings = settings
        self.seed = secrets.randbelow(2**31) if settings.seed is None else settings.seed
        self.greedy = settings.temperature < _COLDEST
        self._generator = torch.Generator(device)
        self._generator.manual_seed(self.seed)

    def draw(self, logits: Tensor) -> Tensor:
        """One token id [] (int64, on the device) from float32 logits [V]. Does not wait for the device."""
        if self.greedy:
            return logits.argmax()
        probabilities = filtered(logits, self.settings).softmax(-1)
        arrivals = torch.empty_like(probabilities).exponential_(generator=self._generator)
        return (probabilities / arrivals.clamp_min_(_SHORTEST)).argmax()

    def any_token(self, vocab_size: int) -> int:
        """A token drawn uniformly, for a text that has to start from nothing."""
        generator = self._generator
        return int(torch.randint(vocab_size, (), generator=generator, device=generator.device))
