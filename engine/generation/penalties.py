"""What the text so far makes of the logits: penalties for tokens that stand in it, and texts never to be written."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import torch
from torch import Tensor

from ..events import SamplingSettings


class ForbiddenError(ValueError):
    """The forbidden texts leave no token that could come next; the message says so."""


class Penalties:
    """The text so far, as far as the settings look back, and its effect on the next logits.

    The repetition penalty divides positive logits of tokens that stand in the text and multiplies negative ones (CTRL,
    Keskar et al., 2019; transformers' RepetitionPenaltyLogitsProcessor). The presence penalty is subtracted once from
    each such token, the frequency penalty as often as it stands there (OpenAI's API reference). A forbidden sequence of
    tokens is never completed (transformers' NoBadWordsLogitsProcessor).
    """

    def __init__(self, settings: SamplingSettings, text: Sequence[int], forbidden: Sequence[Sequence[int]]) -> None:
        self._settings = settings
        self._weighs = settings.penalises
        self._window: deque[int] = deque(maxlen=settings.penalty_window or None)
        self._counts: dict[int, int] = {}
        self._never = sorted({sequence[0] for sequence in forbidden if len(sequence) == 1})
        self._sequences = [tuple(sequence) for sequence in forbidden if len(sequence) > 1]
        self._recent: deque[int] = deque(maxlen=max(map(len, self._sequences), default=1) - 1)
        for token in text:
            self.observe(token)

    @property
    def idle(self) -> bool:
        """Whether the logits would stay as they are, whatever the text."""
        return not (self._weighs or self._never or self._sequences)

    def observe(self, token: int) -> None:
        """`token` stands in the text now."""
        self._recent.append(token)
        if not self._weighs:
            return
        if len(self._window) == self._window.maxlen:
            leaving = self._window[0]
            self._counts[leaving] -= 1
            if not self._counts[leaving]:
                del self._counts[leaving]
        self._window.append(token)
        self._counts[token] = self._counts.get(token, 0) + 1

    def applied(self, logits: Tensor) -> Tensor:
        """New logits [V], the given ones untouched. Raises ForbiddenError where no token is left."""
        logits = logits.clone()
        if self._weighs and self._counts:
            settings, device = self._settings, logits.device
            seen = torch.tensor(list(self._counts), device=device)
            values = logits[seen]
            values = torch.where(values < 0, values * settings.repetition_penalty, values / settings.repetition_penalty)
            counts = torch.tensor(list(self._counts.values()), device=device)
            logits[seen] = values - settings.presence_penalty - settings.frequency_penalty * counts
        if left_out := {*self._never, *self._completing()}:
            if len(left_out) == len(logits):
                raise ForbiddenError("the forbidden texts leave no token that could be written next; forbid fewer")
            logits[list(left_out)] = -torch.inf
        return logits

    def _completing(self) -> list[int]:
        """Tokens that would complete a forbidden sequence."""
        recent = tuple(self._recent)
        return [
            last
            for *first, last in self._sequences
            if len(first) <= len(recent) and recent[len(recent) - len(first) :] == tuple(first)
        ]
