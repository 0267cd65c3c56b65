"""How much of the validation text an evaluation reads: all of it, or less while a run is too young to have the time."""

from __future__ import annotations

import math

from ....models.recipe import TrainingConfig
from .evaluation import n_positions
from .intervals import Interval

_FORWARD_SPEEDUP = 3.0  # evaluation is about this much faster per token than training: for a first estimate
_YOUNG_SHARE = 0.01  # of the time trained so far, for one evaluation that reads less than all
_LEAST_POSITIONS = 4096  # of which the mean says something


class EvaluationShare:
    """Knows what an evaluation of the whole text costs, from the pace of the training until the first was timed."""

    def __init__(self, config: TrainingConfig, n_tokens: int, context_length: int, *, may_read_less: bool) -> None:
        """Only where it `may_read_less` is there anything but whole evaluations; nor is there with `random`."""
        random_windows = config.evaluation_batches * config.batch_size
        self._positions = n_positions(config.evaluation, n_tokens, context_length, random_windows)
        self._may_read_less = may_read_less and config.evaluation != "random"
        self._measured: float | None = None

    def done(self, seconds: float, share: float) -> None:
        """An evaluation of that share of the text took so many seconds."""
        self._measured = seconds / share

    def whole_cost(self, tokens: int, seconds: float) -> float:
        """Seconds that all of the text takes; training took `seconds` for so many `tokens`."""
        if self._measured is not None:
            return self._measured
        return self._positions * seconds / (_FORWARD_SPEEDUP * tokens) if tokens else math.inf

    def of_next(self, interval: Interval, seconds: float, whole_cost: float) -> float:
        """The share that an evaluation reads after `seconds` of training."""
        if not self._may_read_less or interval.every or interval.has_time_for(seconds, whole_cost):
            return 1.0
        least = _LEAST_POSITIONS / self._positions
        return min(1.0, max(least, _YOUNG_SHARE * seconds / whole_cost))
