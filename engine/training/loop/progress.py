"""How far a run is in its budget, whatever that is counted in, and its learning rate there."""

from __future__ import annotations

import math

from ....models.recipe import Budget, TrainingConfig
from ..checkpoints import Counters
from ..update.learner import Learner
from .intervals import Stopwatch


def steps_in_budget(budget: Budget, tokens_per_step: int) -> int | None:
    """The number of optimizer steps that a budget pays for, at least 1.

    None for minutes, which the clock counts, and for epochs, which the batches count (`Learner.steps_until`).
    """
    match budget.unit:
        case "minutes" | "epochs":
            return None
        case "steps":
            return int(budget.amount)
        case "tokens":
            return max(1, math.ceil(budget.amount / tokens_per_step))


def fraction_of_budget(budget: Budget, total_steps: int | None, step: int, seconds: float) -> float:
    """The fraction used after `step` steps and `seconds` of training; the budget ends at 1."""
    return step / total_steps if total_steps else seconds / (60 * budget.amount)


def schedule_factor(config: TrainingConfig, fraction: float, step: int, total_steps: int | None) -> float:
    """The schedule's multiplier of the peak learning rates for update number `step` + 1.

    `fraction` is the used share of the budget, from 0 to 1.
    """
    warmup = min(1.0, (step + 1) / (config.warmup_steps + 1))
    final = config.final_learning_rate_fraction
    match config.schedule:
        case "constant":
            return warmup
        case "linear":
            left = (1 - fraction) / config.decay_fraction if config.decay_fraction else 1.0
            return warmup * (final + (1 - final) * min(1.0, max(0.0, left)))
        case "cosine":  # nanoGPT's get_lr: the half wave begins where the warm-up ends
            if step < config.warmup_steps:
                return warmup
            begin = min(config.warmup_steps / total_steps, 0.99) if total_steps else 0.0
            wave = min(1.0, max(0.0, (fraction - begin) / (1 - begin)))
            return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * wave))


class Progress:
    """The progress of a run, from the steps and epochs of its learner and the seconds of training on its clock.

    The `budget` and `learning_rate_scale`, by which the schedule's rates are multiplied, may change at any time.
    """

    def __init__(self, config: TrainingConfig, learner: Learner, clock: Stopwatch, counters: Counters) -> None:
        self._config, self._learner, self._clock = config, learner, clock
        self.budget = counters.budget or config.budget
        self.learning_rate_scale = counters.learning_rate_scale
        self._first_step, self._first_seconds = learner.step, clock.seconds

    @property
    def total_steps(self) -> int | None:
        """The steps of the whole budget; for minutes an estimate from the speed so far, None before the first step."""
        if steps := self._exact_steps:
            return steps
        step, fraction = self._learner.step, self.fraction
        return max(step, round(step / fraction)) if step and fraction else None

    @property
    def _exact_steps(self) -> int | None:
        """The steps of the whole budget; None where it is in minutes."""
        budget, learner = self.budget, self._learner
        if budget.unit == "epochs":
            return learner.step + learner.steps_until(budget.amount)
        return steps_in_budget(budget, learner.tokens_per_step)

    @property
    def fraction(self) -> float:
        """The fraction of the budget that is used; it ends at 1."""
        return fraction_of_budget(self.budget, self._exact_steps, self._learner.step, self._clock.seconds)

    @property
    def learning_rate_factor(self) -> float:
        """What the peak learning rates are multiplied by in the next update."""
        scheduled = schedule_factor(self._config, self.fraction, self._learner.step, self._exact_steps)
        return self.learning_rate_scale * scheduled

    @property
    def remaining_seconds(self) -> float:
        """Seconds of training to the end of the budget; needs a step of this process, for its speed."""
        if (steps := self._exact_steps) is None:
            return max(0.0, 60 * self.budget.amount - self._clock.seconds)
        return self.seconds_of_this_process / self.steps_of_this_process * (steps - self._learner.step)

    @property
    def steps_of_this_process(self) -> int:
        """Steps since this process began."""
        return self._learner.step - self._first_step

    @property
    def seconds_of_this_process(self) -> float:
        """Seconds of training since this process began."""
        return self._clock.seconds - self._first_seconds
