"""The training loop, and what watchers want of it between two updates."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ....data.dataset import TokenDataset
from ....data.tokenizers import Tokenizer
from ....models.config import flops_per_token
from ....models.devices import memory_in_use
from ....models.peak_flops import peak_flops
from ....models.recipe import TrainingConfig
from ...events import Evaluation, Sample, Step
from ...runs import Run
from ..checkpoints import Counters, Kind
from ..errors import TrainingError
from ..update.learner import Learner
from ..update.threads import Threads
from .checkpoint_writer import Keeper
from .commands import CommandReader
from .divergence import LossWatch
from .early_stopping import LONG_WORSE, Standing
from .evaluation import evaluate, predictions
from .event_log import Journal
from .intervals import Pace, Stopwatch, checkpoint_pace, evaluation_pace, history_pace, sample_pace
from .progress import Course
from .recovery import Diverged, Recovery
from .sample import Preview
from .steering import Steering
from .stop_request import StopRequest

REPORT_INTERVAL = 0.2  # seconds between two Step events
_SHORT_EVALUATION = 2.0  # seconds; a run that is stopped takes this time to say how good it is
_FORWARD_GAIN = 3.0  # evaluation is about this much faster per token than training: for a first guess


class _InterruptedEvaluation(Exception):
    """A stop was asked for in the middle of an evaluation."""


class Trainer:
    """Trains until the budget ends, somebody stops it, or it cannot go on (TrainingError).

    A training that diverges goes back to where `begin_again` finds it (`Recovery`); between two updates it does what
    the commands say (`Steering`). Raises PromptError for a sample prompt that the tokenizer refuses.
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
        threads: Threads | None = None,
        begin_again: Callable[[], tuple[Learner, Counters]] | None = None,
    ) -> None:
        self._dataset, self._config, self._journal, self._stop = dataset, config, journal, stop
        self._threads = threads or Threads()
        self._steering = Steering(commands, stop, journal, self._threads)
        self._recovery = Recovery(journal, begin_again)
        self._keeper = Keeper(run, tokenizer, journal, config.checkpoint_history_limit)
        self._preview = Preview(tokenizer, config.sample_prompt, config.sample_temperature)
        self._begin_at(learner, counters)

    def _begin_at(self, learner: Learner, counters: Counters) -> None:
        """Stand where `counters` were written, with the `learner` as it was there."""
        config, self._learner = self._config, learner
        self._clock = Stopwatch(counters.seconds)
        self.course = Course(config, learner, self._clock, counters)
        self._standing = Standing(config, counters)
        self._watch = LossWatch(learner.model.config.vocab_size)
        self._recovery.tried = counters.recoveries
        self._checkpoint_pace = checkpoint_pace(config.checkpoint_interval)
        self._evaluation_pace = evaluation_pace(config.evaluation_interval)
        self._sample_pace = sample_pace(config.sample_interval)
        self._history_pace = history_pace(config.checkpoint_history)
        self._factor = 0.0  # of the peak learning rate, at the last update
        self._train_loss: float | None = None
        self._reported_step, self._reported_seconds, self._reported_at = learner.step, counters.seconds, -math.inf
        self._keeper.step = learner.step or None

    # --- the loop --------------------------------------------------------------------------------

    def train(self) -> None:
        """Train to the end of the budget or until a stop; what was learned is saved when this returns.

        Raises TrainingError where the run cannot go on.
        """
        while problem := self._recovery.problem_of(self._train):
            what = self._recovery.check(self._learner.step, problem, self._keeper.kept)
            now = self._counters()
            del self._learner, self.course  # their memory is needed
            self._begin_at(*self._recovery.go_back(what, now))

    def _train(self) -> None:
        self._journal.state("running")
        self._clock.start()
        if self._epoch_is_due:  # the process before saved the end of an epoch and did not come to judge it
            with self._taking_time(self._evaluation_pace):
                self.evaluate()
        while self.course.progress < 1 and not self._stop.requested and not self._out_of_patience:
            self._update()
            self._report()
            self._keep()
            self._obey()
        self._finish()

    def _update(self) -> None:
        self._factor = self.course.learning_rate_factor
        start = time.perf_counter()
        self._learner.update(self._factor)
        self._threads.updated(time.perf_counter() - start)

    def _obey(self) -> None:
        if self._steering.listen():
            with self._clock.stopped():
                self._steering.obey(self)

    @property
    def _out_of_patience(self) -> bool:
        return self._standing.out_of_patience(self._learner.step)

    @property
    def total_steps(self) -> int | None:
        """The steps of the whole budget; for minutes a guess from the pace so far, None before the first step."""
        return self.course.total_steps

    def change_budget(self, text: str) -> None:
        """As the command does: let the run follow another budget from here on."""
        self._steering.change_budget(text, self)

    # --- progress --------------------------------------------------------------------------------

    def _report(self, now: bool = False) -> None:
        """A Step event, a few times a second; the only place that waits for the device."""
        step, steps = self._learner.step, self._learner.step - self._reported_step
        if steps == 0 or not (now or time.perf_counter() - self._reported_at >= REPORT_INTERVAL):
            return
        loss = self._learner.take_loss()
        if not math.isfinite(loss):
            raise Diverged("the loss is no number any more")
        gradient_norm = self._learner.gradient_norm()
        self._watch.see(loss, steps, gradient_norm)
        if problem := self._watch.problem:
            raise Diverged(problem)
        seconds = self._clock.seconds
        tokens_per_step = self._learner.tokens_per_step
        speed = steps * tokens_per_step / max(seconds - self._reported_seconds, 1e-9)
        self._train_loss = loss
        self._journal.emit(
            Step(
                step=step,
                total_steps=self.total_steps,
                tokens=step * tokens_per_step,
                seconds=seconds,
                remaining=self.course.remaining,
                loss=loss,
                learning_rate=self._config.learning_rate * self._factor,
                gradient_norm=gradient_norm,
                tokens_per_second=speed,
                memory=memory_in_use(self._learner.device),
                mfu=self._utilisation(speed),
            )
        )
        self._reported_step, self._reported_seconds, self._reported_at = step, seconds, time.perf_counter()

    def _utilisation(self, tokens_per_second: float) -> float | None:
        """The model's operations as a share of what its devices can do; None where nobody knows the latter."""
        model, group = self._learner.model, self._learner.group
        peak = peak_flops(self._learner.device, model.compute_dtype)
        processes = group.size if group else 1
        return peak and flops_per_token(model.config) * tokens_per_second / (peak * processes)

    # --- checkpoints, evaluations, samples -------------------------------------------------------

    @property
    def _epoch_is_due(self) -> bool:
        """Whether the latest update ended an epoch that is to be evaluated and has not been."""
        every_epoch, learner = self._config.evaluate_every_epoch, self._learner
        return every_epoch and learner.completed_epoch and self._standing.step != learner.step

    def _keep(self) -> None:
        """Save, evaluate and sample where it is time. Saving comes first: nothing is lost if the rest fails."""
        step, seconds = self._learner.step, self.course.seconds_here
        if self._config.evaluate_every_epoch:
            evaluated = self._epoch_is_due
        else:
            evaluated = self._evaluation_pace.due(step, seconds, self._expected_evaluation(seconds))
        before_evaluation = evaluated and not self._config.checkpoint_interval
        if self._checkpoint_pace.due(step, seconds) or before_evaluation:
            with self._taking_time(self._checkpoint_pace):
                self.save(astray_too=False)
        if evaluated:
            with self._taking_time(self._evaluation_pace):
                self.evaluate()
        if self._config.checkpoint_history and self._history_pace.due(step, seconds):
            with self._taking_time(self._history_pace):
                self._keeper.save_to_look_back(self._learner, self._checked_counters())
        if (evaluated or self._config.sample_interval) and self._sample_pace.due(step, seconds):
            with self._taking_time(self._sample_pace):
                self.sample()

    @contextmanager
    def _taking_time(self, pace: Pace) -> Iterator[None]:
        """Whatever happens within is charged to `pace` and not to the training time."""
        self._report(now=True)  # waits for the updates that the device has still to do: they are training
        with self._clock.stopped():
            start = time.perf_counter()
            yield
            cost = time.perf_counter() - start
        pace.done(self._learner.step, self.course.seconds_here, cost)

    def _expected_evaluation(self, seconds: float) -> float:
        """A guess in seconds, before the first evaluation, from `seconds` of training."""
        trained = self.course.steps_here * self._learner.tokens_per_step
        context_length = self._learner.model.config.context_length
        n_tokens = len(self._dataset.validation)
        random_windows = self._config.evaluation_batches * self._config.batch_size
        read = predictions(self._config.evaluation, n_tokens, context_length, random_windows)
        return read * seconds / (_FORWARD_GAIN * trained) if trained else math.inf

    def _counters(self) -> Counters:
        """How far the run is."""
        step, budget = self._learner.step, self.course.budget
        return Counters(
            step=step,
            seconds=self._clock.seconds,
            best_validation_loss=self._standing.best,
            evaluations_without_better=self._standing.worse,
            learning_rate_scale=self.course.learning_rate_scale,
            validation_loss=self._standing.loss_at(step),
            budget=None if budget == self._config.budget else budget,
            recoveries=self._recovery.tried,
        )

    def _checked_counters(self) -> Counters:
        """The counters for a checkpoint. Raises Diverged where the weights are not worth one."""
        self._report(now=True)
        if not self._learner.is_finite():
            raise Diverged("a weight is no number any more")
        return self._counters()

    def save(self, astray_too: bool = True) -> None:
        """Keep what is needed to go on; unless `astray_too` not amid a divergence, when what stands there is better."""
        if astray_too or not self._watch.astray:
            self._save_or_warn("last")

    def _save_or_warn(self, kind: Kind) -> None:
        self._keeper.save_or_warn(kind, self._learner, self._checked_counters())

    def evaluate(self, stopping: bool = False) -> None:
        """The validation loss, and `best` where it is the lowest so far.

        A stop ends it, unless the run is `stopping`. Then a worse loss costs no patience either: a run that nobody had
        stopped would not have been judged here.
        """

        def check(fraction: float) -> None:
            self._steering.listen()
            if not stopping and self._stop.requested:
                raise _InterruptedEvaluation

        config, step, worse = self._config, self._learner.step, self._standing.worse
        self._report(now=True)
        try:
            with self._learner.averaged() as model:
                score = evaluate(
                    model, self._dataset.validation, self._dataset.validation_bytes, config.evaluation,
                    batch_size=config.batch_size, batches=config.evaluation_batches, seed=config.seed, progress=check,
                    group=self._learner.group, collective_forward=self._learner.collective_forward,
                )  # fmt: skip
        except _InterruptedEvaluation:
            return
        if not math.isfinite(score.loss):
            raise Diverged("the validation loss is no number any more")
        found = not self._watch.astray
        better = self._standing.judge(step, score.loss, eligible=found, counts=found and not stopping)
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
        elif worse < self._standing.worse == LONG_WORSE:
            self._journal.note(self._standing.doubt(self._train_loss), "warning")

    def sample(self) -> None:
        """Something that the model writes."""
        with self._learner.averaged() as model:
            text = self._preview.write(model, seed=self._learner.step)
        self._journal.emit(Sample(self._learner.step, self._preview.prompt, text))

    # --- the end ---------------------------------------------------------------------------------

    def _finish(self) -> None:
        """Save, evaluate a last time, and say how it ended.

        A run that is stopped within an epoch of which it wants the whole is evaluated when it has gone on to its end.
        """
        self._clock.stop()
        early = self._out_of_patience and self.course.progress < 1
        stopped = self._stop.requested and self.course.progress < 1 and not early
        self._report(now=True)
        self._save_at_last()
        cost = self._evaluation_pace.cost or self._expected_evaluation(self.course.seconds_here)
        whole = not self._config.evaluate_every_epoch or self._learner.completed_epoch
        if self._standing.step != self._learner.step and (not stopped or (whole and cost < _SHORT_EVALUATION)):
            self.evaluate(stopping=stopped)
            self._save_at_last()  # now with its validation loss
        if not stopped:
            self.sample()
        reason = f"no better validation loss in {self._config.patience} evaluations" if early else ""
        self._journal.state("stopped" if stopped else "finished", reason)

    def _save_at_last(self) -> None:
        try:
            self._keeper.save("last", self._learner, self._checked_counters())
        except OSError as error:
            raise TrainingError(
                f"the last checkpoint could not be saved ({error.strerror or error}), and {self._keeper.kept}; free "
                "some space, then resume the run"
            ) from error
