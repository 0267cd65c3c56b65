"""Whether a training has gone astray: told from its losses alone, and never from a spike that passes."""

from __future__ import annotations

import math

ASTRAY_STEPS = 200  # updates in a row that the smoothed loss is too high before it is called diverged
_MEMORY = 0.95  # of the smoothed loss, for each update: about the last twenty count
_MARGIN = 1.0  # nats per token
_SHARE = 1 / 3  # of what was learned


class LossWatch:
    """Follows the training loss of a model with `vocab_size` tokens.

    The model is astray while the smoothed loss lies too far above the lowest that it ever was: by one nat, and by a
    third of the way back to log(vocab_size), the loss of a model that knows nothing. Where no gradient reaches the
    weights although there is much to learn, it is astray as well: activations that blew up make all tokens alike.
    It has diverged when it was astray for ASTRAY_STEPS updates in a row, or when a loss is no number. A single loss
    counts for at most twice log(vocab_size), so that one wild batch is soon forgotten.
    """

    def __init__(self, vocab_size: int) -> None:
        self._uniform = math.log(max(2, vocab_size))
        self._smoothed: float | None = None
        self._latest, self._lowest = -math.inf, math.inf
        self._reports, self._updates = 0, 0  # since it went astray

    def see(self, loss: float, updates: int, gradient_norm: float) -> None:
        """Take in the mean `loss` (nats per token) of the latest `updates` updates, and their last gradient's norm."""
        limited = min(loss, 2 * self._uniform + _MARGIN)
        before = limited if self._smoothed is None else self._smoothed
        self._smoothed = limited + _MEMORY**updates * (before - limited)
        self._latest, self._lowest = loss, min(self._lowest, self._smoothed)
        dead = gradient_norm == 0 and loss > self._uniform / 2
        astray = dead or self._smoothed > self.ceiling
        self._reports, self._updates = (self._reports + 1, self._updates + updates) if astray else (0, 0)

    @property
    def ceiling(self) -> float:
        """The smoothed loss from which on the model is astray."""
        return self._lowest + max(_MARGIN, _SHARE * (self._uniform - self._lowest))

    @property
    def astray(self) -> bool:
        """Whether the loss is too high at present, the latest alone included: the weights are not worth keeping now."""
        return self._updates > 0 or self._latest > self.ceiling

    @property
    def problem(self) -> str | None:
        """What is wrong with a training that has diverged, None where it has not."""
        # a report may be the mean over many updates: one alone proves nothing
        if self._reports < 3 or self._updates < ASTRAY_STEPS or self._smoothed is None:
            return None
        return f"the loss was {self._lowest:.2f} and is {self._smoothed:.2f} since {self._updates} steps"
