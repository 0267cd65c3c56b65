"""What stands between the model's logits and the draw: penalties, forbidden sequences, temperature and filters.

Order and definitions are those of transformers (GenerationMixin._get_logits_processor): repetition penalty, forbidden
sequences, temperature, top-k, top-p, min-p, typical-p; each filter keeps the set that the logits processor of that name
keeps. Rows [B, V] are processed at once. Whatever a person sets and whatever the text changes is a tensor on the
device, so that a step never waits for the device, and a captured step (a CUDA graph) serves other settings of its kind.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import torch
from torch import Tensor

from ..requests import SamplingSettings

TokenSequences = Sequence[Sequence[int]]


class Penalties:
    """Penalties for tokens by how often they stand in each text, as far back as the settings look.

    The repetition penalty divides positive logits of tokens that stand in the text and multiplies negative ones (CTRL,
    Keskar et al., 2019; transformers' RepetitionPenaltyLogitsProcessor). The presence penalty is subtracted once from
    each such token, the frequency penalty as often as it stands there (OpenAI's API reference).
    """

    def __init__(
        self, settings: SamplingSettings, vocab_size: int, texts: TokenSequences, device: torch.device
    ) -> None:
        numbers = (settings.repetition_penalty, settings.presence_penalty, settings.frequency_penalty)
        self._numbers = torch.tensor(numbers, device=device)
        window, longest = settings.penalty_window, max(map(len, texts))
        if window >= longest + settings.max_tokens:  # nothing ever leaves it
            window = 0
        # A ring buffer of the tokens inside the window, the oldest at `_oldest`; unused places hold token V, whose
        # count nobody reads.
        ring = torch.full((len(texts), window), vocab_size)
        counts = torch.zeros(len(texts), vocab_size + 1)
        for row, text in enumerate(texts):
            seen = torch.tensor(text[-window:], dtype=torch.int64)
            counts[row] = torch.bincount(seen, minlength=vocab_size + 1)
            if window:
                ring[row, window - len(seen) :] = seen
        self._counts, self._ring = counts.to(device), ring.to(device)
        self._oldest = torch.zeros(1, dtype=torch.int64, device=device)
        self._one = torch.ones(len(texts), 1, device=device)

    def state(self) -> list[Tensor]:
        """Every tensor that depends on the texts or on the settings."""
        return [self._numbers, self._counts, self._ring, self._oldest]

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows [N] alone."""
        self._counts, self._ring, self._one = self._counts[rows], self._ring[rows], self._one[rows]

    def append(self, tokens: Tensor) -> None:
        """`tokens` [B] were drawn: one more token for each text."""
        tokens = tokens[:, None]
        if window := self._ring.shape[1]:
            self._counts.scatter_add_(1, self._ring.index_select(1, self._oldest), -self._one)
            self._ring.index_copy_(1, self._oldest, tokens)
            self._oldest.add_(1).remainder_(window)
        self._counts.scatter_add_(1, tokens, self._one)

    def apply(self, logits: Tensor) -> Tensor:
        """New logits [B, V]; the given ones are left untouched."""
        repetition, presence, frequency = self._numbers.unbind()
        counts = self._counts[:, :-1]
        values = torch.where(logits < 0, logits * repetition, logits / repetition)
        return torch.where(counts > 0, values - presence - frequency * counts, logits)


class ForbiddenSequences:
    """Sequences of tokens that are never completed (transformers' NoBadWordsLogitsProcessor)."""

    def __init__(self, sequences: TokenSequences, texts: TokenSequences, device: torch.device) -> None:
        """`sequences`, at least one, have a token each or more."""
        length = max(map(len, sequences)) - 1
        begun = [[*[-1] * (length + 1 - len(sequence)), *sequence[:-1]] for sequence in sequences]  # -1: any token
        recent = [[*[-2] * length, *text][len(text) :] for text in texts]  # -2: no token
        self._begun = torch.tensor(begun, dtype=torch.int64, device=device)  # [sequences, length]
        self._last = torch.tensor([sequence[-1] for sequence in sequences], device=device)
        self._recent = torch.tensor(recent, dtype=torch.int64, device=device)  # [B, length]

    def state(self) -> list[Tensor]:
        """Every tensor that depends on the texts or on the settings."""
        return [self._begun, self._last, self._recent]

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows [N] alone."""
        self._recent = self._recent[rows]

    def append(self, tokens: Tensor) -> None:
        """`tokens` [B] were drawn: one more token for each text."""
        if self._recent.shape[1]:
            self._recent.copy_(torch.cat((self._recent[:, 1:], tokens[:, None]), 1))

    def apply(self, logits: Tensor) -> Tensor:
        """New logits [B, V] with -inf where a token would complete a sequence: all of them where none is left."""
        completing = ((self._recent[:, None] == self._begun) | (self._begun < 0)).all(-1)  # [B, sequences]
        last = self._last.expand(len(logits), -1)
        hits = torch.zeros_like(logits).scatter_add_(1, last, completing.to(logits.dtype))
        return logits.masked_fill(hits > 0, -torch.inf)


class Filters:
    """Temperature (above 0), top-k, top-p, min-p and typical-p, for a vocabulary of one size."""

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
    def graph_key(self) -> Hashable:
        """The same for settings that do the same work with other numbers."""
        return self._likeliest, self._on

    def state(self) -> list[Tensor]:
        """Every tensor that depends on the settings."""
        return [self._numbers, self._last]

    def apply(self, logits: Tensor) -> Tensor:
        """Logits [..., V] divided by the temperature, with -inf at each token that a filter leaves out."""
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
