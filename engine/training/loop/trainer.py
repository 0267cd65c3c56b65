"""The trainer: updates until the budget ends, and between them reports, checkpoints, evaluations, samples, commands."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ....data.dataset import TokenDataset
from ....data.tokenizers import Tokenizer
from ....models.config import flops_per_token
from ....models.devices import memory_in_use
from ....models.gpt import GPT
from ....models.peak_flops import peak_flops
from ....models.recipe import TrainingConfig
from ...events import Command, Evaluation, LayerNorms, RunState, Step, Times
from ...runs import Run
from ...text_loss import TextLoss
from ...time_line import TimeLine
from ..checkpoints import Counters, Kind
from ..errors import TrainingError
from ..update.layer_norms import UpdateMeasurement
from ..update.learner import Learner
from ..update.threads import Threads
from .checkpoint_writer import CheckpointWriter
from .command_handler import CommandHandler
from .commands import CommandReader, StopRequested
from .divergence import Diverged, DivergenceDetector, Recovery
from .early_stopping import WARN_AFTER, EarlyStopping
from .evaluation import evaluate
from .evaluation_share import EvaluationShare
from .event_log import EventLog
from .intervals import (
    Interval,
    Stopwatch,
    checkpoint_interval,
    evaluation_interval,
    history_interval,
    sample_interval,
)
from .progress import Progress
from .sample import SampleWriter
from .settings import ChangeableSettings

REPORT_INTERVAL = 0.2  # seconds between two Step events
_SHORT_EVALUATION = 2.0  # seconds; a run that is stopped takes this time for a last evaluation


@dataclass(frozen=True)
class TrainingContext:
    """What a run trains with, except for its learner, which a divergence replaces."""

    run: Run
    config: TrainingConfig
    tokenizer: Tokenizer
    dataset: TokenDataset
    event_log: EventLog
    commands: CommandReader
    threads: Threads = field(default_factory=Threads)
    report_interval: float = REPORT_INTERVAL  # seconds between two Step events
    literal: bool = False  # names of special tokens in the sample prompt are text
    time_line: TimeLine = field(default_factory=lambda: TimeLine("training"))


class Trainer:
    """Trains until the budget ends, a stop is asked for, or the validation loss no longer improves.

    `restart` makes the learner again where the training diverged. Raises UserError for a sample prompt that the
    tokenizer refuses.
    """

    def __init__(
        self,
        context: TrainingContext,
        learner: Learner,
        counters: Counters,
        restart: Callable[[], tuple[Learner, Counters]] | None = None,
    ) -> None:
        config, tokenizer, event_log = context.config, context.tokenizer, context.event_log
        self._context, self._config, self._event_log = context, config, event_log
        self._commands, self._time_line = context.commands, context.time_line
        self._command_handler = CommandHandler(context.commands, event_log)
        self._recovery = Recovery(event_log, restart)
        self._checkpoints = CheckpointWriter(context.run, tokenizer, event_log, config.checkpoint_history_limit)
        prompts = config.all_sample_prompts
        self._samples = SampleWriter(tokenizer, prompts, config.sample_temperature, context.literal)
        self._start_from(learner, counters)

    def _start_from(self, learner: Learner, counters: Counters) -> None:
        """Start, or start again, from `learner` and the `counters` of the same checkpoint."""
        config, self.learner = self._config, learner
        self._clock = Stopwatch(counters.seconds)
        self.progress = Progress(config, learner, self._clock, counters)
        self._early_stopping = EarlyStopping(config, counters)
        self._divergence = DivergenceDetector(learner.model.config.vocab_size)
        self._recovery.attempts = counters.recoveries
        self._checkpoint_interval = checkpoint_interval(config.checkpoint_interval)
        self._evaluation_interval = evaluation_interval(config.evaluation_interval)
        self._evaluation_share = EvaluationShare(
            config, len(self._context.dataset.validation), learner.model.config.context_length,
            may_read_less=not config.evaluate_every_epoch and learner.group is None,
        )  # fmt: skip
        self._sample_interval = sample_interval(config.sample_interval)
        self._history_interval = history_interval(config.checkpoint_history)
        self.settings = ChangeableSettings(
            config, counters, self.progress, self._evaluation_interval, self._samples, self._context.threads
        )
        self._learning_rate_factor = 0.0  # at the last update
        self._measurement: UpdateMeasurement | None = None  # of the next update, after an evaluation
        self._train_loss: float | None = None
        self._reported_step, self._reported_seconds, self._reported_at = learner.step, counters.seconds, -math.inf
        self._checkpoints.step = learner.step or None

    # --- the loop --------------------------------------------------------------------------------

    def train(self) -> None:
        """Train to the end; what was learned is saved when this returns.

        Raises TrainingError where the run cannot go on.
        """
        while problem := self._train_until_divergence():
            diverged = self._counters()
            # their memory is needed for the learner that follows
            del self.learner, self.progress, self.settings, self._measurement
            self._start_from(*self._recovery.go_back(problem, diverged, self._checkpoints.kept))

    def _train_until_divergence(self) -> str | None:
        """What is wrong with a training that diverged; None at its end."""
        try:
            self._train()
        except Diverged as error:
            return str(error)  # not the error itself: its traceback keeps the learner in memory
        return None

    def _train(self) -> None:
        self._event_log.state("running")
        self._event_log.emit(self.settings.at(self.step))
        self._time_line.enter("training")
        self._clock.start()
        if self._epoch_is_due:  # an earlier process saved the end of an epoch and ended before it evaluated
            with self._outside_training_time(self._evaluation_interval):
                self.evaluate()
        finished = False
        while not finished:
            while self.progress.fraction < 1 and not self._commands.stop_requested and not self._out_of_patience:
                self._update()
                self._report()
                self._save_evaluate_sample()
                self._handle_commands()
            finished = self._finish()

    def _update(self) -> None:
        self._learning_rate_factor = self.progress.learning_rate_factor
        start = time.perf_counter()
        self.learner.update(self._learning_rate_factor)
        self._context.threads.updated(time.perf_counter() - start)
        if self._measurement:
            self._report_norms(self._measurement)

    @property
    def _out_of_patience(self) -> bool:
        return self._early_stopping.out_of_patience(self.learner.step)

    # --- reports ---------------------------------------------------------------------------------

    def _report(self, now: bool = False) -> None:
        """Emit a Step, a few times a second; the only place that waits for the device. Raises Diverged."""
        step, steps = self.learner.step, self.learner.step - self._reported_step
        if steps == 0 or not (now or time.perf_counter() - self._reported_at >= self._context.report_interval):
            return
        loss = self.learner.take_loss()
        if not math.isfinite(loss):
            raise Diverged("the loss is NaN or infinite")
        gradient_norm = self.learner.gradient_norm()
        self._divergence.update(loss, steps, gradient_norm)
        if problem := self._divergence.problem:
            raise Diverged(problem)
        seconds = self._clock.seconds
        tokens_per_step = self.learner.tokens_per_step
        tokens_per_second = steps * tokens_per_step / max(seconds - self._reported_seconds, 1e-9)
        self._train_loss = loss
        self._event_log.emit(
            Step(
                step=step,
                total_steps=self.progress.total_steps,
                tokens=step * tokens_per_step,
                seconds=seconds,
                remaining=self.progress.remaining_seconds,
                loss=loss,
                learning_rate=self._config.learning_rate * self._learning_rate_factor,
                gradient_norm=gradient_norm,
                tokens_per_second=tokens_per_second,
                memory=memory_in_use(self.learner.device),
                mfu=self._utilisation(tokens_per_second),
            )
        )
        self._reported_step, self._reported_seconds, self._reported_at = step, seconds, time.perf_counter()

    def _report_norms(self, measurement: UpdateMeasurement) -> None:
        """Emit what the latest update did to each layer."""
        self._measurement = None
        with self._clock.stopped():
            self._event_log.emit(LayerNorms(self.step, *measurement.measure()))

    def _utilisation(self, tokens_per_second: float) -> float | None:
        """The model's FLOPs as a fraction of what its devices can do; None where that is not known."""
        model, group = self.learner.model, self.learner.group
        peak = peak_flops(self.learner.device, model.compute_dtype)
        processes = group.size if group else 1
        return peak and flops_per_token(model.config) * tokens_per_second / (peak * processes)

    # --- checkpoints, evaluations, samples -------------------------------------------------------

    @property
    def _epoch_is_due(self) -> bool:
        """Whether the latest update ended an epoch that is to be evaluated and has not been."""
        learner = self.learner
        return (
            self._config.evaluate_every_epoch
            and learner.completed_epoch
            and self._early_stopping.loss_at(learner.step) is None
        )

    def _save_evaluate_sample(self) -> None:
        """Save, evaluate and sample, each at its interval. Saving comes first: nothing is lost if the rest fails."""
        step, seconds = self.learner.step, self.progress.seconds_of_this_process
        whole_cost = self._whole_evaluation_cost
        share = self._evaluation_share.of_next(self._evaluation_interval, seconds, whole_cost)
        if self._config.evaluate_every_epoch:
            evaluated = self._epoch_is_due
        else:
            left = self.progress.remaining_seconds  # at the end there is an evaluation anyway
            evaluated = self._evaluation_interval.due(step, seconds, share * whole_cost, left)
        before_evaluation = evaluated and not self._config.checkpoint_interval
        if self._checkpoint_interval.due(step, seconds) or before_evaluation:
            with self._outside_training_time(self._checkpoint_interval):
                self._save_unless_diverging()
        if evaluated:
            with self._outside_training_time(self._evaluation_interval):
                self.evaluate(share=share)
        if self._config.checkpoint_history and self._history_interval.due(step, seconds):
            with self._outside_training_time(self._history_interval), self._time_line.within("checkpoints"):
                self._checkpoints.save_history(self.learner, self._checked_counters())
        if (evaluated or self._config.sample_interval) and self._sample_interval.due(step, seconds):
            with self._outside_training_time(self._sample_interval):
                self.sample()

    @contextmanager
    def _outside_training_time(self, interval: Interval) -> Iterator[None]:
        """Time spent within is charged to `interval` and does not count as training."""
        self._report(now=True)  # waits for the updates that the device has still to do: they are training
        with self._clock.stopped():
            start = time.perf_counter()
            yield
            cost = time.perf_counter() - start
        interval.done(self.learner.step, self.progress.seconds_of_this_process, cost)

    @property
    def _whole_evaluation_cost(self) -> float:
        """Seconds that an evaluation of the whole validation text takes, as far as it is known."""
        trained = self.progress.steps_of_this_process * self.learner.tokens_per_step
        return self._evaluation_share.whole_cost(trained, self.progress.seconds_of_this_process)

    def _counters(self) -> Counters:
        """What a checkpoint says of the run's progress."""
        step = self.learner.step
        counters = Counters(
            step=step,
            seconds=self._clock.seconds,
            best_validation_loss=self._early_stopping.best,
            evaluations_without_better=self._early_stopping.evaluations_since_best,
            validation_loss=self._early_stopping.loss_at(step),
            recoveries=self._recovery.attempts,
        )
        return self.settings.kept_in(counters)

    def _checked_counters(self) -> Counters:
        """The counters for a checkpoint. Raises Diverged where the weights are not worth one."""
        self._report(now=True)
        if not self.learner.is_finite():
            raise Diverged("a weight is NaN or infinite")
        return self._counters()

    def save(self) -> bool:
        """Write the checkpoint that the run is resumed from; where that fails, emit a note. Whether it was written."""
        return self._save_or_warn("last")

    def _save_unless_diverging(self) -> None:
        """Save, but leave the earlier checkpoint, which is better, while the loss is too high."""
        if not self._divergence.diverging:
            self.save()

    def _save_or_warn(self, kind: Kind) -> bool:
        with self._time_line.within("checkpoints"):
            return self._checkpoints.save_or_warn(kind, self.learner, self._checked_counters())

    def evaluate(self, *, stopping: bool = False, counts: bool = True, share: float = 1.0) -> float | None:
        """The validation loss, and the checkpoint `best` where it is the lowest so far.

        That of a `share` of the text is no measure for the others: it is reported, and that is all.

        A stop ends the evaluation, and nothing is returned; except in a run that is `stopping` already. Only where it
        `counts` can it use up patience: for the last one of a stopped run, and for one that a person asks for, there
        would have been none at this step.
        """

        def check_stop(fraction: float) -> None:
            if stopping and not self._commands.without_saving:
                self._commands.poll()
            else:
                self._commands.check_stop()

        config, dataset, early_stopping = self._config, self._context.dataset, self._early_stopping
        step, since_best = self.learner.step, early_stopping.evaluations_since_best
        self._report(now=True)

        def validate(model: GPT) -> TextLoss:
            return evaluate(
                model, dataset.validation, dataset.validation_bytes, config.evaluation,
                batch_size=config.batch_size, batches=config.evaluation_batches, seed=config.seed, share=share,
                progress=check_stop, group=self.learner.group, collective_forward=self.learner.collective_forward,
            )  # fmt: skip

        began = time.perf_counter()
        try:
            with self._time_line.within("evaluations"):
                result = self.learner.with_averaged_model(validate)
        except StopRequested:
            return None
        if not math.isfinite(result.loss):
            raise Diverged("the validation loss is NaN or infinite")
        self._evaluation_share.done(time.perf_counter() - began, share)
        healthy, whole = not self._divergence.diverging, share == 1
        better = whole and early_stopping.update(step, result.loss, can_be_best=healthy, counts=healthy and counts)
        self._event_log.emit(
            Evaluation(
                step=step,
                seconds=self._clock.seconds,
                validation_loss=result.loss,
                perplexity=result.perplexity,
                bits_per_byte=result.bits_per_byte,
                protocol=config.evaluation,
                best=better,
                train_loss=self.learner.epoch_loss() if config.evaluate_every_epoch else self._train_loss,
                share=share,
            )
        )
        if better:
            self._save_or_warn("best")
        elif since_best < early_stopping.evaluations_since_best == WARN_AFTER:
            self._event_log.warn(early_stopping.warning(self._train_loss))
        self._measurement = self.learner.measure_next_update()
        return result.loss

    def sample(self) -> None:
        """Emit what the model writes after each prompt; the same seeds at each step, so that samples compare."""
        with self._time_line.within("samples"):
            samples = self.learner.with_averaged_model(
                lambda model: self._samples.write_all(model, self.step, self._config.seed)
            )
        for sample in samples:
            self._event_log.emit(sample)

    # --- commands --------------------------------------------------------------------------------

    def _handle_commands(self) -> None:
        if self._commands.poll():
            with self._clock.stopped(), self._time_line.within("commands and pauses"):
                self._command_handler.handle(self)

    def carry_out(self, command: Command) -> None:
        """Carry out a command as if it had been sent to the run."""
        self._command_handler.carry_out(command, self)

    @property
    def step(self) -> int:
        """The updates so far."""
        return self.learner.step

    def keep_changes(self) -> None:
        """Save what was changed at once, so that a resumed run knows it."""
        if self.settings.unsaved:
            self.settings.unsaved = False
            if not self._commands.without_saving:
                self._save_unless_diverging()

    # --- the end ---------------------------------------------------------------------------------

    def _finish(self) -> bool:
        """Save, evaluate a last time, and say how the run ended; False where a stop is taken back meanwhile.

        A run that evaluates every epoch and is stopped within one is not evaluated: resumed, it is at that epoch's end.
        """
        self._clock.stop()
        if self._commands.without_saving:
            return self._finish_without_saving()
        early = self._out_of_patience and self.progress.fraction < 1
        stopped = self._commands.stop_requested and self.progress.fraction < 1 and not early
        self._report(now=True)
        self._save_at_end()
        if stopped and self._stop_is_taken_back():
            return False
        cost = self._whole_evaluation_cost
        whole = not self._config.evaluate_every_epoch or self.learner.completed_epoch
        evaluated = self._early_stopping.loss_at(self.learner.step) is not None
        if not evaluated and (not stopped or (whole and cost < _SHORT_EVALUATION)):
            self.evaluate(stopping=stopped, counts=not stopped)
            self._save_at_end()  # now with its validation loss
        if stopped and self._stop_is_taken_back():
            return False
        if not stopped:
            self.sample()
        reason = f"no better validation loss in {self._config.patience} evaluations" if early else ""
        self._end("stopped" if stopped else "finished", reason)
        return True

    def _finish_without_saving(self) -> bool:
        """End here, with what is on disk; False where that is taken back."""
        if self._stop_is_taken_back():
            return False
        if not self._commands.without_saving:  # it is an ordinary stop by now
            return self._finish()
        self._end("stopped", f"no checkpoint was asked for; {self._checkpoints.kept}")
        return True

    def _end(self, state: RunState, reason: str) -> None:
        """Say where the time went, and that the run has ended."""
        self._event_log.emit(Times(self.step, self._time_line.rounded))
        self._event_log.state(state, reason)

    def _stop_is_taken_back(self) -> bool:
        """Carry out the commands that came while the run was about to stop; training goes on after a resume."""
        self._command_handler.handle(self)
        if self._commands.stop_requested:
            return False
        self._clock.start()
        return True

    def _save_at_end(self) -> None:
        try:
            with self._time_line.within("checkpoints"):
                self._checkpoints.save("last", self.learner, self._checked_counters())
        except OSError as error:
            raise TrainingError(
                f"the last checkpoint could not be saved ({error.strerror or error}), and {self._checkpoints.kept}; "
                "free some space, then resume the run"
            ) from error
