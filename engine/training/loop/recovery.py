"""How a training that diverges is brought back: once, to where it was good, and then more gently."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from ..checkpoints import Counters
from ..errors import TrainingError
from ..update.learner import Learner
from .event_log import Journal


class Diverged(Exception):
    """The loss or a weight is no number, or the loss stays far too high; the message says which."""


class Recovery:
    """Goes back to where `begin_again` finds the run: at its newest checkpoint, or at its initial weights.

    From there half the learning rate and another order of the text are tried. `tried` is how often that was done.
    """

    def __init__(self, journal: Journal, begin_again: Callable[[], tuple[Learner, Counters]] | None) -> None:
        self._journal, self._begin_again = journal, begin_again
        self.tried = 0

    def problem_of(self, train: Callable[[], None]) -> str | None:
        """Train; what is wrong where that diverges. By the return all that the way there held on to is free."""
        try:
            train()
        except Diverged as error:
            return str(error)
        return None

    def check(self, step: int, problem: str, kept: str) -> str:
        """A sentence with the `problem` that the run had before `step`.

        Raises TrainingError, which says what is `kept`, where the run has had its second chance.
        """
        what = f"the training diverged before step {step}: {problem}"
        if self.tried or self._begin_again is None:
            again = ", again and with half the learning rate" if self.tried else ""
            raise TrainingError(
                f"{what}{again}; {kept}; start again with a lower learning rate, a longer warm-up or gradient clipping"
            )
        return what

    def go_back(self, what: str, now: Counters) -> tuple[Learner, Counters]:
        """The learner and its counters to go on with; the budget and what was ordered stay as they are `now`.

        The learner that diverged should be freed before: there may be no memory for two.
        """
        assert self._begin_again
        learner, counters = self._begin_again()
        learner.reorder()
        scale = min(now.learning_rate_scale, counters.learning_rate_scale) / 2
        where = f"from the checkpoint of step {learner.step}" if learner.step else "from the initial weights"
        self._journal.note(
            f"{what}; going on {where} with the learning rate at {scale:g} times the schedule's and the text in "
            "another order",
            "warning",
        )
        return learner, dataclasses.replace(counters, learning_rate_scale=scale, budget=now.budget, recoveries=1)
