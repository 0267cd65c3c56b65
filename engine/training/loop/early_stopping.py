"""Early stopping: the validation losses of a run so far, and whether they still improve."""

from __future__ import annotations

from ....models.recipe import TrainingConfig
from ..checkpoints import Counters

WARN_AFTER = 3  # evaluations without a better loss, after which the person is told


class EarlyStopping:
    """Says when the validation loss has not improved for `patience` evaluations; a patience of 0 never stops a run.

    `best` and `latest` are validation losses, None before the first; `step` is that of the latest.
    """

    def __init__(self, config: TrainingConfig, counters: Counters) -> None:
        self._patience, self._minimum_steps = config.patience, config.minimum_steps
        self.best = counters.best_validation_loss
        self.latest = counters.validation_loss
        self.step = -1 if counters.validation_loss is None else counters.step
        self.evaluations_since_best = counters.evaluations_without_better
        if self.out_of_patience(counters.step):  # a resumed run that had stopped early gets the whole patience again
            self.evaluations_since_best = 0

    def out_of_patience(self, step: int) -> bool:
        """Whether the run should stop at `step`; never before the minimum number of steps."""
        return step >= self._minimum_steps and 0 < self._patience <= self.evaluations_since_best

    def update(self, step: int, loss: float, *, can_be_best: bool, counts: bool) -> bool:
        """Take in the validation loss at `step`; whether it is the best so far.

        Only where it `counts` does one that is not better use up patience.
        """
        better = can_be_best and (self.best is None or loss < self.best)
        if better:
            self.best, self.evaluations_since_best = loss, 0
        elif counts:
            self.evaluations_since_best += 1
        self.step, self.latest = step, loss
        return better

    def loss_at(self, step: int) -> float | None:
        """The validation loss at this very step, where it was evaluated."""
        return self.latest if self.step == step else None

    def warning(self, train_loss: float | None) -> str:
        """A sentence for a run whose loss has not improved for WARN_AFTER evaluations."""
        overfits = self.best is not None and train_loss is not None and train_loss < self.best
        why = "begins to learn its text by heart" if overfits else "does not become better at present"
        return (
            f"no better validation loss in {WARN_AFTER} evaluations: the model {why}; its best state is kept in "
            "checkpoints/best"
        )
