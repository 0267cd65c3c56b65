"""What the texts so far make of the logits: penalties for tokens that stand in them, and texts never to be written.

Everything here is a tensor on the device and one row for each text, so that a step needs no answer from the device.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ...data.storage.errors import UserError
from ..requests import SamplingSettings

Texts = Sequence[Sequence[int]]


class ForbiddenError(UserError, ValueError):
    """The forbidden texts leave no token that could come next; the message says so."""

    def __init__(self) -> None:
        super().__init__("the forbidden texts leave no token that could be written next; forbid fewer")


class Penalties:
    """How often each token stands in each text, as far as the settings look back, and what that does to its logit.

    The repetition penalty divides positive logits of tokens that stand in the text and multiplies negative ones (CTRL,
    Keskar et al., 2019; transformers' RepetitionPenaltyLogitsProcessor). The presence penalty is subtracted once from
    each such token, the frequency penalty as often as it stands there (OpenAI's API reference).
    """

    def __init__(self, settings: SamplingSettings, vocab_size: int, texts: Texts, device: torch.device) -> None:
        numbers = (settings.repetition_penalty, settings.presence_penalty, settings.frequency_penalty)
        self._numbers = torch.tensor(numbers, device=device)
        window, longest = settings.penalty_window, max(map(len, texts))
        if window >= longest + settings.max_tokens:  # nothing ever leaves it
            window = 0
        # A ring of the tokens inside the window, the oldest at `_oldest`; where none stands yet is token V, which has
        # a count that nobody reads.
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
        """Every tensor that says where the texts stand, or what was asked for."""
        return [self._numbers, self._counts, self._ring, self._oldest]

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows [N] alone."""
        self._counts, self._ring, self._one = self._counts[rows], self._ring[rows], self._one[rows]

    def observe(self, tokens: Tensor) -> None:
        """`tokens` [B] stand at the ends of the texts now."""
        tokens = tokens[:, None]
        if window := self._ring.shape[1]:
            self._counts.scatter_add_(1, self._ring.index_select(1, self._oldest), -self._one)
            self._ring.index_copy_(1, self._oldest, tokens)
            self._oldest.add_(1).remainder_(window)
        self._counts.scatter_add_(1, tokens, self._one)

    def applied(self, logits: Tensor) -> Tensor:
        """New logits [B, V], the given ones untouched."""
        repetition, presence, frequency = self._numbers.unbind()
        counts = self._counts[:, :-1]
        values = torch.where(logits < 0, logits * repetition, logits / repetition)
        return torch.where(counts > 0, values - presence - frequency * counts, logits)


class Forbidden:
    """Sequences of tokens that are never completed (transformers' NoBadWordsLogitsProcessor)."""

    def __init__(self, sequences: Texts, texts: Texts, device: torch.device) -> None:
        """`sequences`, at least one, have a token each or more."""
        length = max(map(len, sequences)) - 1
        begun = [[*[-1] * (length + 1 - len(sequence)), *sequence[:-1]] for sequence in sequences]  # -1: any token
        recent = [[*[-2] * length, *text][len(text) :] for text in texts]  # -2: no token
        self._begun = torch.tensor(begun, dtype=torch.int64, device=device)  # [sequences, length]
        self._last = torch.tensor([sequence[-1] for sequence in sequences], device=device)
        self._recent = torch.tensor(recent, dtype=torch.int64, device=device)  # [B, length]

    def state(self) -> list[Tensor]:
        """Every tensor that says where the texts stand, or what was asked for."""
        return [self._begun, self._last, self._recent]

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows [N] alone."""
        self._recent = self._recent[rows]

    def observe(self, tokens: Tensor) -> None:
        """`tokens` [B] stand at the ends of the texts now."""
        if self._recent.shape[1]:
            self._recent.copy_(torch.cat((self._recent[:, 1:], tokens[:, None]), 1))

    def applied(self, logits: Tensor) -> Tensor:
        """New logits [B, V] with -inf where a token would complete a sequence: all of them where none is left."""
        completing = ((self._recent[:, None] == self._begun) | (self._begun < 0)).all(-1)  # [B, sequences]
        last = self._last.expand(len(logits), -1)
        hits = torch.zeros_like(logits).scatter_add_(1, last, completing.to(logits.dtype))
        return logits.masked_fill(hits > 0, -torch.inf)
