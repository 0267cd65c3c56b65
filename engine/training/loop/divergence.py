"""Divergence: how it is told from a spike in the loss, and how a run that diverged goes on."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

from ..checkpoints import Counters
from ..errors import TrainingError
from ..update.learner import Learner
from .event_log import EventLog

DIVERGED_AFTER = 200  # updates in a row whose smoothed loss is too high
_MEMORY = 0.95  # of the smoothed loss, for each update: about the last twenty count
_MARGIN = 1.0  # nats per token
_SHARE = 1 / 3  # of what was learned


class Diverged(Exception):
    """The loss or a weight is NaN or infinite, or the loss stays far too high; the message says which."""


class DivergenceDetector:
    """Follows the training loss of a model with `vocab_size` tokens.

    The model is diverging while the smoothed loss lies too far above the lowest that it ever was: by one nat, and by a
    third of the way back to log(vocab_size), the loss of a model that knows nothing. Where no gradient reaches the
    weights although there is much to learn, it is diverging as well: activations that blew up make all tokens alike.
    It has diverged after DIVERGED_AFTER such updates in a row, or where a loss is NaN or infinite. A single loss counts
    for at most twice log(vocab_size), so that one bad batch is soon forgotten.
    """

    def __init__(self, vocab_size: int) -> None:
        self._uniform = math.log(max(2, vocab_size))
        self._smoothed: float | None = None
        self._latest, self._lowest = -math.inf, math.inf
        self._reports, self._updates = 0, 0  # since it began to diverge

    def update(self, loss: float, updates: int, gradient_norm: float) -> None:
        """Take in the mean `loss` (nats per token) of the latest `updates` updates, and their last gradient's norm."""
        limited = min(loss, 2 * self._uniform + _MARGIN)
        before = limited if self._smoothed is None else self._smoothed
        self._smoothed = limited + _MEMORY**updates * (before - limited)
        self._latest, self._lowest = loss, min(self._lowest, self._smoothed)
        dead = gradient_norm == 0 and loss > self._uniform / 2
        too_high = dead or self._smoothed > self.ceiling
        self._reports, self._updates = (self._reports + 1, self._updates + updates) if too_high else (0, 0)

    @property
    def ceiling(self) -> float:
        """The smoothed loss above which the model is diverging."""
        return self._lowest + max(_MARGIN, _SHARE * (self._uniform - self._lowest))

    @property
    def diverging(self) -> bool:
        """Whether the smoothed or the latest loss is too high: the weights are not worth a checkpoint now."""
        return self._updates > 0 or self._latest > self.ceiling

    @property
    def problem(self) -> str | None:
        """What is wrong with a training that has diverged, None where it has not."""
        # a report may be the mean over many updates: one alone proves nothing
        if self._reports < 3 or self._updates < DIVERGED_AFTER or self._smoothed is None:
            return None
        return f"the loss was {self._lowest:.2f} and is {self._smoothed:.2f} since {self._updates} steps"


class Recovery:
    """Takes a run that diverged back, once: to its newest checkpoint, or to its initial weights.

    `restart` makes the learner as it was there. It goes on with half the learning rate and the text in another order.
    `attempts` is how often that was done; None for `restart` never does it.
    """

    def __init__(self, event_log: EventLog, restart: Callable[[], tuple[Learner, Counters]] | None) -> None:
        self._event_log, self._restart = event_log, restart
        self.attempts = 0

    def go_back(self, problem: str, diverged: Counters, kept: str) -> tuple[Learner, Counters]:
        """The learner to go on with, and its counters; what people have changed stays as it was at `diverged`.

        The learner that diverged should be freed before: there may be no memory for two. Raises TrainingError, which
        says which checkpoint is `kept`, for a run that diverged a second time.
        """
        what = f"the training diverged before step {diverged.step}: {problem}"
        if self.attempts or self._restart is None:
            again = ", again and with half the learning rate" if self.attempts else ""
            raise TrainingError(
                f"{what}{again}; {kept}; start again with a lower learning rate, a longer warm-up or gradient clipping"
            )
        learner, counters = self._restart()
        learner.reshuffle()
        scale = min(diverged.learning_rate_scale, counters.learning_rate_scale) / 2
        where = f"from the checkpoint of step {learner.step}" if learner.step else "from the initial weights"
        self._event_log.warn(
            f"{what}; going on {where} with the learning rate at {scale:g} times the schedule's and the text in "
            "another order"
        )
        return learner, dataclasses.replace(
            counters,
            learning_rate_scale=scale,
            budget=diverged.budget,
            evaluation_interval=diverged.evaluation_interval,
            sample_prompts=diverged.sample_prompts,
            recoveries=1,
        )
