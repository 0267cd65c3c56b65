"""What of its recipe a run lets people change while it trains; checkpoints keep what was changed."""

from __future__ import annotations

import dataclasses

from ....data.storage.errors import UserError
from ....models.recipe import Budget, TrainingConfig
from ...commands import check_interval, check_prompts, check_scale
from ...events import Command, Settings
from ..checkpoints import Counters
from ..update.threads import Threads
from .command_handler import Refused
from .intervals import Interval
from .progress import Progress
from .sample import SampleWriter


class ChangeableSettings:
    """The settings in force: those of the recipe, unless the `counters` of a checkpoint have others.

    They stand where they act, in `progress`, `evaluation_interval`, `samples` and `threads`. `unsaved` says whether
    something was changed that should be saved soon.
    """

    def __init__(
        self,
        config: TrainingConfig,
        counters: Counters,
        progress: Progress,
        evaluation_interval: Interval,
        samples: SampleWriter,
        threads: Threads,
    ) -> None:
        self._config, self._progress, self._interval = config, progress, evaluation_interval
        self._samples, self._threads = samples, threads
        self.unsaved = False
        if counters.evaluation_interval is not None:
            evaluation_interval.every = counters.evaluation_interval
        samples.prompts = config.all_sample_prompts if counters.sample_prompts is None else counters.sample_prompts

    def at(self, step: int) -> Settings:
        """The event that says what they are."""
        return Settings(
            step, self._progress.learning_rate_scale, self._progress.budget.written, self._interval.every,
            self._samples.prompts,
        )  # fmt: skip

    def kept_in(self, counters: Counters) -> Counters:
        """The counters of a checkpoint, with what was changed."""
        config, budget = self._config, self._progress.budget
        interval, prompts = self._interval.every, self._samples.prompts
        return dataclasses.replace(
            counters,
            learning_rate_scale=self._progress.learning_rate_scale,
            budget=None if budget == config.budget else budget,
            evaluation_interval=None if interval == config.evaluation_interval else interval,
            sample_prompts=None if prompts == config.all_sample_prompts else prompts,
        )

    def change(self, command: Command) -> str:
        """Change what the command says; one sentence about it. Raises Refused."""
        try:
            match command.name:
                case "learning_rate_scale":
                    return self._scale(command.value)
                case "scale_learning_rate":
                    return self._scale(self._progress.learning_rate_scale * check_scale(command.value))
                case "budget":
                    return self._set_budget(Budget.parse(command.text))
                case "evaluation_interval":
                    return self._set_interval(command.value)
                case "sample_prompts":
                    return self._set_prompts(command.texts)
                case "threads":
                    return self._threads.change(command.value)
                case _:
                    raise Refused(f"{command.name} changes nothing")
        except (ValueError, UserError) as error:
            raise Refused(str(error)) from error

    def _scale(self, value: float | None) -> str:
        # not saved at once: a run that diverges with the new rate goes back to a checkpoint with the old one
        self._progress.learning_rate_scale = check_scale(value)
        return f"the learning rate is now {self._progress.learning_rate_scale:g} times the schedule's"

    def _set_budget(self, budget: Budget) -> str:
        """The budget counts from the run's beginning; the learning rate follows it from here on."""
        before, self._progress.budget = self._progress.budget, budget
        if self._progress.fraction >= 1:
            self._progress.budget = before
            raise Refused(
                f"a budget of {budget} is spent already, because it counts from the run's beginning; it stays at "
                f"{before}"
            )
        self.unsaved = True
        return f"the budget is now {budget}; the learning rate follows it from here on"

    def _set_interval(self, value: float | None) -> str:
        every = check_interval(value)
        if every and self._config.evaluate_every_epoch:
            raise Refused("the run evaluates after each epoch, and only then")
        self._interval.every = every
        self.unsaved = True
        return f"it is evaluated every {every:,} steps" if every else "it is evaluated as often as time allows"

    def _set_prompts(self, prompts: tuple[str, ...]) -> str:
        self._samples.prompts = check_prompts(prompts)
        self.unsaved = True
        return f"the samples have {len(prompts)} prompts" if len(prompts) > 1 else "the samples have another prompt"
