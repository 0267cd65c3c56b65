"""The training loop, and what watchers want of it between two updates."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from ...data.dataset import TokenDataset
from ...data.tokenizers import Tokenizer
from ...models.config import ConfigError
from ...models.devices import choose_threads, memory_in_use
from ...models.recipe import Budget, TrainingConfig
from ..events import Command, Evaluation, Sample, Step
from ..runs import Run
from .checkpoints import Counters, Kind
from .course import Course
from .divergence import LossWatch
from .evaluation import evaluate, predictions
from .journal import Journal
from .keeping import Keeper
from .learner import Learner
from .orders import CommandReader
from .pacing import Pace, Stopwatch, checkpoint_pace, evaluation_pace, history_pace, sample_pace
from .preview import Preview
from .stopping import StopRequest
from .threads import ThreadTrial

REPORT_INTERVAL = 0.2  # seconds between two Step events
BY_HEART = 3  # evaluations without a better loss, after which the person is told
_PAUSE = 0.05  # seconds between two looks at the commands of a paused run
_SHORT_EVALUATION = 2.0  # seconds; a run that is stopped takes this time to say how good it is
_FORWARD_GAIN = 3.0  # evaluation is about this much faster per token than training: for a first guess


class TrainingError(Exception):
    """The run cannot go on; one sentence with what happened and what to do."""


class _Diverged(Exception):
    """The loss or a weight is no number, or the loss stays far too high; the message says which."""


class _InterruptedEvaluation(Exception):
    """A stop was asked for in the middle of an evaluation."""


class Trainer:
    """Trains until the budget ends, somebody stops it, or it cannot go on (TrainingError).

    A training that diverges goes back to where `begin_again` finds it, once, with half the learning rate and the text
    in another order: at its newest checkpoint, or at its initial weights.
    Raises PromptError for a sample prompt that the tokenizer refuses.
    """

    def __init__(
        self,
        run: Run,
        learner: Learner,
        tokenizer: Tokenizer,
        dataset: TokenDataset,
        config: TrainingConfig,
        counters: Counters,
        journal: Journal,
        commands: CommandReader,
        stop: StopRequest,
        thread_trial: ThreadTrial | None = None,
        begin_again: Callable[[], tuple[Learner, Counters]] | None = None,
    ) -> None:
        self._dataset = dataset
        self._config, self._journal, self._commands, self._stop = config, journal, commands, stop
        self._thread_trial, self._begin_again = thread_trial, begin_again
        self._keeper = Keeper(run, tokenizer, journal, config.checkpoint_history_limit)
        self._preview = Preview(tokenizer, config.sample_prompt, config.sample_temperature)
        self._orders: list[Command | str] = []
        self._paused = False
        self._begin_at(learner, counters)

    def _begin_at(self, learner: Learner, counters: Counters) -> None:
        """Stand where `counters` were written, with the `learner` as it was there."""
        config, self._learner = self._config, learner
        self._clock = Stopwatch(counters.seconds)
        self._course = Course(config, learner, self._clock)
        self._course.budget = counters.budget or config.budget
        self._watch = LossWatch(learner.model.config.vocab_size)
        self._recoveries = counters.recoveries
        self._best = counters.best_validation_loss
        self._worse_evaluations = counters.evaluations_without_better
        if self._out_of_patience:  # whoever resumes a run that had lost its patience gives it new
            self._worse_evaluations = 0
        self._learning_rate_scale = counters.learning_rate_scale
        self._checkpoint_pace = checkpoint_pace(config.checkpoint_interval)
        self._evaluation_pace = evaluation_pace(config.evaluation_interval)
        self._sample_pace = sample_pace(config.sample_interval)
        self._history_pace = history_pace(config.checkpoint_history)
        self._factor = 0.0  # of the peak learning rate, at the last update
        self._train_loss: float | None = None
        self._reported_step, self._reported_seconds, self._reported_at = learner.step, counters.seconds, -math.inf
        self._keeper.step = learner.step or None
        self._validation_loss = counters.validation_loss
        self._evaluated_step = -1 if counters.validation_loss is None else counters.step

    # --- the loop --------------------------------------------------------------------------------

    def train(self) -> None:
        """Train to the end of the budget or until a stop; what was learned is saved when this returns.

        Raises TrainingError where the run cannot go on.
        """
        while problem := self._problem_of_training():
            self._recover(problem)

    def _problem_of_training(self) -> str | None:
        """Train; what is wrong where it diverges. By the return all that the way there held on to is free."""
        try:
            self._train()
        except _Diverged as error:
            return str(error)
        return None

    def _train(self) -> None:
        self._journal.state("running")
        self._clock.start()
        if self._epoch_is_due:  # the process before saved the end of an epoch and did not come to judge it
            with self._taking_time(self._evaluation_pace):
                self._evaluate()
        while self._course.progress < 1 and not self._stop.requested and not self._out_of_patience:
            self._update()
            self._report()
            self._keep()
            self._obey()
        self._finish()

    def _update(self) -> None:
        self._factor = self._learning_rate_scale * self._course.learning_rate_factor
        start = time.perf_counter()
        self._learner.update(self._factor)
        if self._thread_trial:
            self._thread_trial.updated(time.perf_counter() - start)

    @property
    def _out_of_patience(self) -> bool:
        """Whether the loss has not become better for too long; never before the steps that the recipe grants."""
        enough = self._learner.step >= self._config.minimum_steps
        return enough and 0 < self._config.patience <= self._worse_evaluations

    @property
    def total_steps(self) -> int | None:
        """The steps of the whole budget; for minutes a guess from the pace so far, None before the first step."""
        return self._course.total_steps

    # --- progress --------------------------------------------------------------------------------

    def _report(self, now: bool = False) -> None:
        """A Step event, a few times a second; the only place that waits for the device."""
        step, steps = self._learner.step, self._learner.step - self._reported_step
        if steps == 0 or not (now or time.perf_counter() - self._reported_at >= REPORT_INTERVAL):
            return
        loss = self._learner.take_loss()
        if not math.isfinite(loss):
            raise _Diverged("the loss is no number any more")
        gradient_norm = self._learner.gradient_norm()
        self._watch.see(loss, steps, gradient_norm)
        if problem := self._watch.problem:
            raise _Diverged(problem)
        seconds = self._clock.seconds
        tokens_per_step = self._learner.tokens_per_step
        self._train_loss = loss
        self._journal.emit(
            Step(
                step=step,
                total_steps=self.total_steps,
                tokens=step * tokens_per_step,
                seconds=seconds,
                remaining=self._course.remaining,
                loss=loss,
                learning_rate=self._config.learning_rate * self._factor,
                gradient_norm=gradient_norm,
                tokens_per_second=steps * tokens_per_step / max(seconds - self._reported_seconds, 1e-9),
                memory=memory_in_use(self._learner.device),
            )
        )
        self._reported_step, self._reported_seconds, self._reported_at = step, seconds, time.perf_counter()

    def _recover(self, problem: str) -> None:
        """Go back and try once more, more gently. Raises TrainingError where that was tried before."""
        what = f"the training diverged before step {self._learner.step}: {problem}"
        if self._recoveries or self._begin_again is None:
            again = ", again and with half the learning rate" if self._recoveries else ""
            raise TrainingError(
                f"{what}{again}; {self._keeper.kept}; start again with a lower learning rate, a longer warm-up or "
                "gradient clipping"
            )
        scale, budget = self._learning_rate_scale, self._course.budget
        del self._learner, self._course  # their memory is needed
        learner, counters = self._begin_again()
        learner.reorder()
        scale = min(scale, counters.learning_rate_scale) / 2
        counters = dataclasses.replace(counters, learning_rate_scale=scale, budget=budget, recoveries=1)
        self._begin_at(learner, counters)
        where = f"from the checkpoint of step {learner.step}" if learner.step else "from the initial weights"
        self._journal.note(
            f"{what}; going on {where} with the learning rate at {scale:g} times the schedule's and the text in "
            "another order",
            "warning",
        )

    # --- checkpoints, evaluations, samples -------------------------------------------------------

    @property
    def _epoch_is_due(self) -> bool:
        """Whether the latest update ended an epoch that is to be evaluated and has not been."""
        every_epoch, learner = self._config.evaluate_every_epoch, self._learner
        return every_epoch and learner.completed_epoch and self._evaluated_step != learner.step

    def _keep(self) -> None:
        """Save, evaluate and sample where it is time. Saving comes first: nothing is lost if the rest fails."""
        step, seconds = self._learner.step, self._course.seconds_here
        if self._config.evaluate_every_epoch:
            evaluated = self._epoch_is_due
        else:
            evaluated = self._evaluation_pace.due(step, seconds, self._expected_evaluation(seconds))
        before_evaluation = evaluated and not self._config.checkpoint_interval
        if self._checkpoint_pace.due(step, seconds) or before_evaluation:
            with self._taking_time(self._checkpoint_pace):
                if not self._watch.astray:  # what stands there is better, should it not find back
                    self._save_or_warn("last")
        if evaluated:
            with self._taking_time(self._evaluation_pace):
                self._evaluate()
        if self._config.checkpoint_history and self._history_pace.due(step, seconds):
            with self._taking_time(self._history_pace):
                self._keeper.save_to_look_back(self._learner, self._counters())
        if (evaluated or self._config.sample_interval) and self._sample_pace.due(step, seconds):
            with self._taking_time(self._sample_pace):
                self._sample()

    @contextmanager
    def _taking_time(self, pace: Pace) -> Iterator[None]:
        """Whatever happens within is charged to `pace` and not to the training time."""
        self._report(now=True)  # waits for the updates that the device has still to do: they are training
        with self._clock.stopped():
            start = time.perf_counter()
            yield
            cost = time.perf_counter() - start
        pace.done(self._learner.step, self._course.seconds_here, cost)

    def _expected_evaluation(self, seconds: float) -> float:
        """A guess in seconds, before the first evaluation, from `seconds` of training."""
        trained = self._course.steps_here * self._learner.tokens_per_step
        context_length = self._learner.model.config.context_length
        n_tokens = len(self._dataset.validation)
        random_windows = self._config.evaluation_batches * self._config.batch_size
        read = predictions(self._config.evaluation, n_tokens, context_length, random_windows)
        return read * seconds / (_FORWARD_GAIN * trained) if trained else math.inf

    def _counters(self) -> Counters:
        """How far the run is, for a checkpoint. Raises _Diverged where the weights are not worth one."""
        self._report(now=True)
        if not self._learner.is_finite():
            raise _Diverged("a weight is no number any more")
        step, budget = self._learner.step, self._course.budget
        return Counters(
            step=step,
            seconds=self._clock.seconds,
            best_validation_loss=self._best,
            evaluations_without_better=self._worse_evaluations,
            learning_rate_scale=self._learning_rate_scale,
            validation_loss=self._validation_loss if self._evaluated_step == step else None,
            budget=None if budget == self._config.budget else budget,
            recoveries=self._recoveries,
        )

    def _save_or_warn(self, kind: Kind) -> None:
        self._keeper.save_or_warn(kind, self._learner, self._counters())

    def _evaluate(self, interruptible: bool = True) -> None:
        """The validation loss, and `best` where it is the lowest so far."""

        def check(fraction: float) -> None:
            self._listen()
            if interruptible and self._stop.requested:
                raise _InterruptedEvaluation

        config, step = self._config, self._learner.step
        self._report(now=True)
        try:
            with self._learner.averaged() as model:
                score = evaluate(
                    model, self._dataset.validation, self._dataset.validation_bytes, config.evaluation,
                    batch_size=config.batch_size, batches=config.evaluation_batches, seed=config.seed, progress=check,
                    group=self._learner.group,
                )  # fmt: skip
        except _InterruptedEvaluation:
            return
        if not math.isfinite(score.loss):
            raise _Diverged("the validation loss is no number any more")
        better = not self._watch.astray and (self._best is None or score.loss < self._best)
        self._best = score.loss if better else self._best
        if better:
            self._worse_evaluations = 0
        elif not self._watch.astray:
            self._worse_evaluations += 1
        self._evaluated_step, self._validation_loss = step, score.loss
        self._journal.emit(
            Evaluation(
                step=step,
                seconds=self._clock.seconds,
                validation_loss=score.loss,
                perplexity=score.perplexity,
                bits_per_byte=score.bits_per_byte,
                protocol=config.evaluation,
                best=better,
                train_loss=self._learner.epoch_loss() if config.evaluate_every_epoch else self._train_loss,
            )
        )
        if better:
            self._save_or_warn("best")
        elif self._worse_evaluations == BY_HEART and not self._watch.astray:
            by_heart = self._best is not None and self._train_loss is not None and self._train_loss < self._best
            why = "begins to learn its text by heart" if by_heart else "does not become better at present"
            self._journal.note(
                f"no better validation loss in {BY_HEART} evaluations: the model {why}; its best state is kept in "
                "checkpoints/best",
                "warning",
            )

    def _sample(self) -> None:
        with self._learner.averaged() as model:
            text = self._preview.write(model, seed=self._learner.step)
        self._journal.emit(Sample(self._learner.step, self._preview.prompt, text))

    # --- orders ----------------------------------------------------------------------------------

    def _listen(self) -> None:
        """Take in what was appended to commands.jsonl; a stop counts at once."""
        new = self._commands.read()
        self._orders += new
        self._stop.requested |= any(isinstance(order, Command) and order.name == "stop" for order in new)

    def _obey(self) -> None:
        """Carry out what was ordered; a pause lasts until the order to resume or to stop."""
        self._listen()
        if not self._orders:
            return
        with self._clock.stopped():
            while self._orders or (self._paused and not self._stop.requested):
                while self._orders:
                    self._carry_out(self._orders.pop(0))
                if self._paused:
                    time.sleep(_PAUSE)
                    self._listen()

    def _carry_out(self, order: Command | str) -> None:
        if isinstance(order, str):
            self._journal.note(order, "warning")
            return
        match order.name:
            case "pause":
                self._pause()
            case "resume":
                self._resume()
            case "stop":
                self._paused = False  # `_listen` has asked for the stop
            case "save":
                self._save_or_warn("last")
            case "sample":
                self._sample()
            case "evaluate":
                self._evaluate()
            case "scale_learning_rate":
                self._scale_learning_rate(order.value)
            case "threads":
                self._set_threads(order.value)
            case "budget":
                self.change_budget(order.text)

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            self._save_or_warn("last")
            self._journal.state("paused")

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            self._journal.state("running")

    def _scale_learning_rate(self, factor: float | None) -> None:
        if factor is None or not 0 < factor <= 1000:
            self._journal.note(f"the learning rate cannot be scaled by {factor}; give a number above 0", "warning")
            return
        self._learning_rate_scale *= factor
        self._journal.note(f"the learning rate is now {self._learning_rate_scale:g} times the schedule's")

    def change_budget(self, text: str) -> None:
        """Let the run, and its learning rate, follow another budget from here on, counted from the run's beginning.

        It is saved at once, so that whoever resumes the run finds it. One that is spent already changes nothing.
        """
        before = self._course.budget
        try:
            self._course.budget = Budget.parse(text)
        except ConfigError as error:
            self._journal.note(str(error), "warning")
            return
        if self._course.progress >= 1:
            self._journal.note(
                f"a budget of {self._course.budget} is spent already, because it counts from the run's beginning; it "
                f"stays at {before}",
                "warning",
            )
            self._course.budget = before
            return
        self._journal.note(f"the budget is now {self._course.budget}; the learning rate follows it from here on")
        if not self._watch.astray:
            self._save_or_warn("last")

    def _set_threads(self, number: float | None) -> None:
        if self._learner.device.type != "cpu":
            self._journal.note("the model trains on an accelerator; CPU threads make no difference", "warning")
            return
        if number is not None and not 0 <= number <= 1024:
            self._journal.note(f"{number:g} CPU threads are not possible; give a number, or 0 for all", "warning")
            return
        if self._learner.group:
            self._journal.note("the processes that train together keep their CPU threads", "warning")
            return
        threads = choose_threads(int(number or 0), leave_core=False)
        torch.set_num_threads(threads)
        self._thread_trial = None if number else ThreadTrial(threads)
        self._journal.note(f"CPU threads: {threads}" if number else f"CPU threads: up to {threads}, by trying")

    # --- the end ---------------------------------------------------------------------------------

    def _finish(self) -> None:
        """Save, evaluate a last time, and say how it ended.

        A run that is stopped within an epoch of which it wants the whole is evaluated when it has gone on to its end.
        """
        self._clock.stop()
        early = self._out_of_patience and self._course.progress < 1
        stopped = self._stop.requested and self._course.progress < 1 and not early
        self._report(now=True)
        self._save_at_last()
        cost = self._evaluation_pace.cost or self._expected_evaluation(self._course.seconds_here)
        whole = not self._config.evaluate_every_epoch or self._learner.completed_epoch
        if self._evaluated_step != self._learner.step and (not stopped or (whole and cost < _SHORT_EVALUATION)):
            worse = self._worse_evaluations
            self._evaluate(interruptible=not stopped)
            if stopped:  # a run that nobody had stopped would not have been judged here, and loses no patience
                self._worse_evaluations = min(worse, self._worse_evaluations)
            self._save_at_last()  # now with its validation loss
        if not stopped:
            self._sample()
        reason = f"no better validation loss in {self._config.patience} evaluations" if early else ""
        self._journal.state("stopped" if stopped else "finished", reason)

    def _save_at_last(self) -> None:
        try:
            self._keeper.save("last", self._learner, self._counters())
        except OSError as error:
            raise TrainingError(
                f"the last checkpoint could not be saved ({error.strerror or error}), and {self._keeper.kept}; free "
                "some space, then resume the run"
            ) from error
