"""From logits to the next token: penalties, temperature, the filters, and one seeded draw.

Order and definitions are those of transformers (GenerationMixin._get_logits_processor): repetition penalty, forbidden
texts, temperature, top-k, top-p, min-p, typical-p; each keeps the set that the logits processor of that name keeps. The
draw is the exponential race argmax(p / Exp(1)): the distribution of torch.multinomial without its wait for the device
(gpt-fast, generate.py).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence

import torch
from torch import Tensor

from ..events import SamplingSettings
from .penalties import Penalties

_COLDEST = 1e-5  # below it the division overflows float32, and the result is greedy anyway
_SHORTEST = torch.finfo(torch.float32).tiny  # Exp(1) may round to 0, and 0 / 0 would win the race


def filtered(logits: Tensor, settings: SamplingSettings) -> Tensor:
    """Logits [V] over the temperature (above 0), with -inf at each token that a filter leaves out."""
    logits = logits / settings.temperature
    if 0 < settings.top_k < logits.shape[-1]:
        smallest_kept = logits.topk(settings.top_k).values[-1]
        logits = logits.masked_fill(logits < smallest_kept, -torch.inf)
    if settings.top_p < 1:
        logits = _top_p(logits, settings.top_p)
    if settings.min_p > 0:
        probabilities = logits.softmax(-1)
        logits = logits.masked_fill(probabilities < settings.min_p * probabilities.max(), -torch.inf)
    if settings.typical_p < 1:
        logits = _typical_p(logits, settings.typical_p)
    return logits


def _top_p(logits: Tensor, mass: float) -> Tensor:
    """The likeliest tokens whose probabilities first sum to more than `mass` (Holtzman et al., 2019)."""
    ascending, order = logits.sort()
    left_out = ascending.softmax(-1).cumsum(-1) <= 1 - mass
    left_out[-1] = False  # the likeliest token stays, however small top_p is
    return logits.masked_fill(torch.zeros_like(left_out).scatter_(0, order, left_out), -torch.inf)


def _typical_p(logits: Tensor, mass: float) -> Tensor:
    """The tokens whose surprise is nearest to the entropy, up to `mass` (Meister et al., 2022)."""
    log_probabilities = logits.log_softmax(-1)
    entropy = -(log_probabilities * log_probabilities.exp()).nansum(-1, keepdim=True)
    distances, order = (-log_probabilities - entropy).abs().sort()
    cumulative = logits[order].softmax(-1).cumsum(-1)
    last = (cumulative < mass).sum().clamp_(max=len(distances) - 1)
    left_out = distances > distances[last]
    left_out[0] = False
    return logits.masked_fill(torch.zeros_like(left_out).scatter_(0, order, left_out), -torch.inf)


def sample_seed(seed: int, index: int) -> int:
    """The seed of one of several samples: `seed` itself for the first, one of its own for each other."""
    if index == 0:
        return seed
    return int.from_bytes(hashlib.sha256(f"{seed} {index}".encode()).digest()[:4]) >> 1


class Sampler:
    """Draws tokens; the same settings, seed and logits draw the same tokens on the same kind of device."""

    def __init__(
        self,
        settings: SamplingSettings,
        device: torch.device,
        text: Sequence[int] = (),
        forbidden: Sequence[Sequence[int]] = (),
        keep: bool = False,
    ) -> None:
        """`text` is what stands before the first draw; `forbidden` are the tokens of the forbidden texts.

        With `keep`, `drawn_from` holds the logits [V] of the last draw, as the model gave them and as it was drawn.
        """
        self.settings = settings
        self.penalties = Penalties(settings, text, forbidden)
        self.drawn_from: tuple[Tensor, Tensor] = (torch.empty(0), torch.empty(0))
        self._keep = keep
        self.seed = secrets.randbelow(2**31) if settings.seed is None else settings.seed
        self.greedy = settings.temperature < _COLDEST
        self._generator = torch.Generator(device)
        self._generator.manual_seed(self.seed)

    def draw(self, logits: Tensor) -> Tensor:
        """One token id [] (int64, on the device) from float32 logits [V]. Does not wait for the device.

        The penalties learn of the token by `penalties.observe`.
        """
        given = logits
        if not self.penalties.idle:
            logits = self.penalties.applied(logits)
        if self.greedy:
            token = logits.argmax()
            if self._keep:
                self.drawn_from = given, torch.full_like(logits, -torch.inf).index_fill_(0, token.view(1), 0)
            return token
        logits = filtered(logits, self.settings)
        if self._keep:
            self.drawn_from = given, logits
        probabilities = logits.softmax(-1)
        arrivals = torch.empty_like(probabilities).exponential_(generator=self._generator)
        return (probabilities / arrivals.clamp_min_(_SHORTEST)).argmax()

    def any_token(self, vocab_size: int) -> int:
        """A token drawn uniformly, for a text that has to start from nothing."""
        generator = self._generator
        return int(torch.randint(vocab_size, (), generator=generator, device=generator.device))
