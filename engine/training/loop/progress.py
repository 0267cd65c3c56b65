"""How far a run is in its budget, whatever that is counted in, and its learning rate there."""

from __future__ import annotations

from ....models.recipe import TrainingConfig
from ..checkpoints import Counters
from ..update.learner import Learner
from .intervals import Stopwatch
from .schedules import learning_rate_factor, progress_of, steps_in_budget


class Course:
    """What is behind and what is to come, from the learner's steps and epochs and the clock's seconds of training.

    The `budget` and `learning_rate_scale`, by which the schedule's rates are multiplied, may change at any time.
    """

    def __init__(self, config: TrainingConfig, learner: Learner, clock: Stopwatch, counters: Counters) -> None:
        self._config, self._learner, self._clock = config, learner, clock
        self.budget = counters.budget or config.budget
        self.learning_rate_scale = counters.learning_rate_scale
        self._first_step, self._first_seconds = learner.step, clock.seconds

    @property
    def steps(self) -> int | None:
        """The steps of the whole budget; None where it is in minutes."""
        budget, learner = self.budget, self._learner
        if budget.unit == "epochs":
            return learner.step + learner.steps_until(budget.amount)
        return steps_in_budget(budget, learner.tokens_per_step)

    @property
    def total_steps(self) -> int | None:
        """As `steps`; for minutes a guess from the pace so far, None before the first step."""
        if steps := self.steps:
            return steps
        step, progress = self._learner.step, self.progress
        return max(step, round(step / progress)) if step and progress else None

    @property
    def progress(self) -> float:
        """The share of the budget that is behind; 1 and above is the end."""
        return progress_of(self.budget, self.steps, self._learner.step, self._clock.seconds)

    @property
    def learning_rate_factor(self) -> float:
        """What the peak learning rates are multiplied by in the next update."""
        scheduled = learning_rate_factor(self._config, self.progress, self._learner.step, self.steps)
        return self.learning_rate_scale * scheduled

    @property
    def remaining(self) -> float:
        """Seconds of training to the end of the budget; needs a step of this process for its pace."""
        if (steps := self.steps) is None:
            return max(0.0, 60 * self.budget.amount - self._clock.seconds)
        return self.seconds_here / self.steps_here * (steps - self._learner.step)

    @property
    def steps_here(self) -> int:
        """Steps since this process began."""
        return self._learner.step - self._first_step

    @property
    def seconds_here(self) -> float:
        """Seconds of training since this process began."""
        return self._clock.seconds - self._first_seconds
