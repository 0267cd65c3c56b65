"""How good a run is: its validation losses so far, and whether its patience is lost."""

from __future__ import annotations

from ....models.recipe import TrainingConfig
from ..checkpoints import Counters

LONG_WORSE = 3  # evaluations without a better loss, after which the person is told


class Standing:
    """What the evaluations of a run have shown, from where `counters` were written.

    `best` and `latest` are validation losses, None before the first; `step` is that of the latest.
    """

    def __init__(self, config: TrainingConfig, counters: Counters) -> None:
        self._patience, self._minimum_steps = config.patience, config.minimum_steps
        self.best = counters.best_validation_loss
        self.latest = counters.validation_loss
        self.step = -1 if counters.validation_loss is None else counters.step
        self.worse = counters.evaluations_without_better  # evaluations since the best
        if self.out_of_patience(counters.step):  # whoever resumes a run that had lost its patience gives it new
            self.worse = 0

    def out_of_patience(self, step: int) -> bool:
        """Whether the loss has not become better for too long; never before the steps that the recipe grants."""
        return step >= self._minimum_steps and 0 < self._patience <= self.worse

    def judge(self, step: int, loss: float, *, eligible: bool, counts: bool) -> bool:
        """Take in a validation loss; whether it is the best so far.

        One that is not `eligible` cannot be. With `counts` one that is worse is held against the run's patience.
        """
        better = eligible and (self.best is None or loss < self.best)
        if better:
            self.best, self.worse = loss, 0
        elif counts:
            self.worse += 1
        self.step, self.latest = step, loss
        return better

    def loss_at(self, step: int) -> float | None:
        """The validation loss at this very step, where it was evaluated."""
        return self.latest if self.step == step else None

    def doubt(self, train_loss: float | None) -> str:
        """A sentence for a run that has not become better for LONG_WORSE evaluations."""
        by_heart = self.best is not None and train_loss is not None and train_loss < self.best
        why = "begins to learn its text by heart" if by_heart else "does not become better at present"
        return (
            f"no better validation loss in {LONG_WORSE} evaluations: the model {why}; its best state is kept in "
            "checkpoints/best"
        )
