"""From logits to the next tokens: penalties, temperature, the filters, and one seeded draw for each row.

Order and definitions are those of transformers (GenerationMixin._get_logits_processor): repetition penalty, forbidden
texts, temperature, top-k, top-p, min-p, typical-p; each keeps the set that the logits processor of that name keeps. The
draw is the Gumbel race argmax(logits + noise): the distribution of torch.multinomial without its wait for the device.

All rows are drawn at once, and every number that a person sets is a tensor on the device: whoever records the device's
work once (a CUDA graph) may repeat it for other settings of the same kind.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import torch
from torch import Tensor

from ..requests import SamplingSettings
from .gumbel import Noise, chosen_seed
from .penalties import Forbidden, Penalties, Texts

_COLDEST = 1e-5  # below it the division overflows float32, and the result is greedy anyway


def filtered(logits: Tensor, settings: SamplingSettings) -> Tensor:
    """Logits [..., V] over the temperature (above 0), with -inf at each token that a filter leaves out."""
    return Filters(settings, logits.shape[-1], logits.device).applied(logits)


class Filters:
    """The temperature and the filters of some settings, for a vocabulary of one size."""

    def __init__(self, settings: SamplingSettings, vocab_size: int, device: torch.device) -> None:
        numbers = (settings.temperature, 1 - settings.top_p, settings.min_p, settings.typical_p)
        self._numbers = torch.tensor(numbers, device=device)
        self._each = self._numbers.unbind()
        self._last = torch.tensor([max(0, settings.top_k - 1)], device=device)  # of the kept ones, by likelihood
        has_top_k = 0 < settings.top_k < vocab_size
        # Settings of one kind differ in numbers alone, so top-k sorts out a power of two of the likeliest.
        self._likeliest = min(vocab_size, 1 << (settings.top_k - 1).bit_length()) if has_top_k else 0
        self._on = (settings.top_p < 1, settings.min_p > 0, settings.typical_p < 1)

    @property
    def kind(self) -> Hashable:
        """The same for settings that do the same work with other numbers."""
        return self._likeliest, self._on

    def state(self) -> list[Tensor]:
        """The numbers."""
        return [self._numbers, self._last]

    def applied(self, logits: Tensor) -> Tensor:
        """As `filtered`."""
        temperature, top_p_rest, min_p, typical_p = self._each
        has_top_p, has_min_p, has_typical_p = self._on
        logits = logits / temperature
        if self._likeliest:
            smallest_kept = logits.topk(self._likeliest).values.index_select(-1, self._last)
            logits = logits.masked_fill(logits < smallest_kept, -torch.inf)
        if has_top_p:
            logits = _top_p(logits, top_p_rest)
        if has_min_p:
            probabilities = logits.softmax(-1)
            least = min_p * probabilities.amax(-1, keepdim=True)
            logits = logits.masked_fill(probabilities < least, -torch.inf)
        if has_typical_p:
            logits = _typical_p(logits, typical_p)
        return logits


def _top_p(logits: Tensor, rest: Tensor) -> Tensor:
    """The likeliest tokens whose probabilities first sum to more than 1 - `rest` (Holtzman et al., 2019)."""
    ascending, order = logits.sort()
    left_out = ascending.softmax(-1).cumsum(-1) <= rest
    left_out[..., -1].fill_(False)  # the likeliest token stays, however small top_p is
    return logits.masked_fill(torch.zeros_like(left_out).scatter_(-1, order, left_out), -torch.inf)


def _typical_p(logits: Tensor, mass: Tensor) -> Tensor:
    """The tokens whose surprise is nearest to the entropy, up to `mass` (Meister et al., 2022)."""
    log_probabilities = logits.log_softmax(-1)
    entropy = -(log_probabilities * log_probabilities.exp()).nansum(-1, keepdim=True)
    distances, order = (-log_probabilities - entropy).abs().sort()
    cumulative = logits.gather(-1, order).softmax(-1).cumsum(-1)
    last = (cumulative < mass).sum(-1, keepdim=True).clamp_(max=logits.shape[-1] - 1)
    left_out = distances > distances.gather(-1, last)
    left_out[..., 0].fill_(False)
    return logits.masked_fill(torch.zeros_like(left_out).scatter_(-1, order, left_out), -torch.inf)


class Sampler:
    """Draws the next token of each row; the same settings, seed and logits draw the same tokens on the same kind of
    device, whatever the other rows.

    With `explains`, `drawn_from` holds the logits [B, V] of the last draw, as the model gave them and as they were
    drawn from.
    """

    def __init__(
        self,
        settings: SamplingSettings,
        vocab_size: int,
        device: torch.device,
        seeds: Sequence[int] = (),
        texts: Texts = ((),),
        forbidden: Texts = (),
        explains: bool = False,
    ) -> None:
        """A row for each of `seeds`, one with the settings' own where there are none; `texts` is what stands before
        the first draw of each, `forbidden` the tokens of the forbidden texts, which may leave nothing to be drawn.
        """
        seeds = seeds or [chosen_seed(settings.seed)]
        sequences = [sequence for sequence in forbidden if sequence]
        self.explains, self.greedy, self.may_fail = explains, settings.temperature < _COLDEST, bool(sequences)
        self.drawn_from: tuple[Tensor, Tensor] = (torch.empty(0), torch.empty(0))
        self._device = device
        self._weighing: list[Penalties | Forbidden] = []
        if settings.penalises:
            self._weighing.append(Penalties(settings, vocab_size, texts, device))
        if sequences:
            self._weighing.append(Forbidden(sequences, texts, device))
        self._filters = None if self.greedy else Filters(settings, vocab_size, device)
        self._noise = None if self.greedy else Noise(seeds, vocab_size, device)

    @property
    def kind(self) -> Hashable:
        """The same for samplers that do the same work on the device, but for the content of tensors."""
        filters = None if self._filters is None else self._filters.kind
        return self.explains, filters, tuple(tuple(tensor.shape) for tensor in self.state())

    @property
    def prepared(self) -> int | None:
        """How many draws can be prepared at once now; None where chance has no part in them."""
        return None if self._noise is None else self._noise.left

    def draw(self, logits: Tensor) -> Tensor:
        """Token ids [B] (int64, on the device) from float32 logits [B, V]; -1 where no token was left, which
        `may_fail` says is possible. Does not wait for the device.
        """
        self.prepare(1)
        return self.pick(logits)

    def prepare(self, draws: int) -> None:
        """Make `draws` calls of `pick` possible, at most `prepared`."""
        if self._noise is not None:
            self._noise.prepare(draws)

    def pick(self, logits: Tensor) -> Tensor:
        """As `draw`, after `prepare`: work of the device alone, and always the same work."""
        given = logits
        for part in self._weighing:
            logits = part.applied(logits)
        if self._filters is not None:
            logits = self._filters.applied(logits)
        best, tokens = (logits if self._noise is None else logits + self._noise.next()).max(-1)
        for part in self._weighing:
            part.observe(tokens)
        if self.explains:
            alone = torch.full_like(logits, -torch.inf).scatter_(1, tokens[:, None], 0) if self.greedy else logits
            self.drawn_from = given, alone
        return tokens.masked_fill(best == -torch.inf, -1) if self.may_fail else tokens

    def take(self, other: Sampler) -> None:
        """Go on as `other` would, which is of the same kind; the tensors stay where they are."""
        for mine, theirs in zip(self.state(), other.state(), strict=True):
            mine.copy_(theirs)
        if self._noise is not None and other._noise is not None:
            self._noise.take(other._noise)

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows alone, in this order; each stays, or moves to a place before it that has no row."""
        chosen = torch.tensor(rows, device=self._device)
        for part in self._weighing:
            part.keep(chosen)
        if self._noise is not None:
            self._noise.keep(rows)

    def state(self) -> list[Tensor]:
        """The tensors that `pick` reads and writes."""
        parts = (self._filters, self._noise, *self._weighing)
        return [tensor for part in parts if part is not None for tensor in part.state()]
