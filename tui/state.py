"""What the panels show of a run and a model: plain dataclasses, updated from events, that know no widget."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from ..engine.events import (
    ENDED_STATES,
    CheckpointSaved,
    Evaluation,
    Note,
    Preparing,
    Sample,
    Settings,
    Started,
    StateChanged,
    Step,
    TrainingEvent,
)
from ..engine.requests import Loaded
from ..engine.run_summary import used_fraction
from ..engine.runs import ShownState
from ..models.config import ModelConfig, flops_per_token, parameter_count
from .charts.series import Series

NOTES_KEPT = 50


@dataclass
class TrainingView:
    """A run as a person sees it. None stands for what is not known yet; `state` None means there is no run at all."""

    name: str = ""
    state: ShownState | None = None
    reason: str = ""  # why it stopped or failed, in one sentence
    idle: str = "no run yet"  # shown where there is no run
    preparing: Preparing | None = None  # what the train process does before its first step

    step: int = 0
    total_steps: int | None = None
    tokens: int = 0
    seconds: float = 0.0
    remaining: float | None = None

    train_loss: float | None = None  # losses in nats per token
    validation_loss: float | None = None
    best_validation_loss: float | None = None
    best_step: int | None = None
    perplexity: float | None = None
    bits_per_byte: float | None = None
    entropy_floor: float | None = None

    learning_rate: float | None = None
    gradient_norm: float | None = None
    tokens_per_second: float | None = None
    memory: int | None = None  # bytes
    mfu: float | None = None

    parameters: int | None = None
    vocab_size: int | None = None
    train_tokens: int | None = None
    validation_tokens: int | None = None
    device: str = ""
    device_name: str = ""
    dtype: str = ""
    threads: int | None = None
    device_reason: str = ""

    checkpoint_step: int | None = None  # of the newest checkpoint on disk
    sample: Sample | None = None
    settings: Settings | None = None  # what can be changed, as it is in force
    notes: deque[Note] = field(default_factory=lambda: deque(maxlen=NOTES_KEPT))

    train: Series = field(default_factory=Series)
    validation: Series = field(default_factory=Series)

    @property
    def ended(self) -> bool:
        """Whether no train process works on it any more."""
        return self.state in ("crashed", "silent") or self.state in ENDED_STATES

    @property
    def fraction(self) -> float | None:
        """How much of the budget is used, 0 to 1; by time where the budget is in minutes."""
        if self.state == "finished":
            return 1.0
        return used_fraction(self.step, self.total_steps, self.seconds, self.remaining)

    def mark_crashed(self) -> None:
        """The train process died: its lock is free and its last state has not ended."""
        self.state, self.preparing = "crashed", None
        self.reason = "the train process ended without saying why; resume the run to go on from its last checkpoint"
        self._clear_rates()

    def mark_silent(self, reason: str) -> None:
        """It is trained on another host, which has not been heard of for some time."""
        self.state, self.preparing, self.reason = "silent", None, reason
        self._clear_rates()

    def apply(self, event: TrainingEvent) -> None:
        """Update from the next event of the run's file; a Step before the present one is out of date and skipped."""
        match event:
            case Preparing():
                self.preparing = event
            case Started():
                self._start(event)
            case Step() if event.step >= self.step:
                self._advance(event)
            case Evaluation() if event.step >= 0:
                self._evaluate(event)
            case Sample():
                self.sample = event
            case Settings():
                self.settings = event
            case CheckpointSaved():
                self.checkpoint_step = event.step
            case StateChanged():
                self.state, self.reason, self.preparing = event.state, event.reason, None
                self.step = max(self.step, event.step)
                if self.ended:
                    self._clear_rates()
            case Note():
                self.notes.append(event)
            case _:
                pass

    def _start(self, event: Started) -> None:
        self.state, self.reason, self.preparing = "running", "", None
        self.step, self.total_steps = event.step, event.total_steps
        self.parameters, self.vocab_size = event.parameters, event.vocab_size
        self.train_tokens, self.validation_tokens = event.train_tokens, event.validation_tokens
        self.device, self.device_name, self.dtype = event.device, event.device_name, event.dtype
        self.threads, self.device_reason = event.threads, event.reason
        self.entropy_floor = event.entropy_floor
        self._clear_rates()
        # a resumed run repeats the steps after its checkpoint: they replace what was drawn there, as they come
        self.train.resume(event.step)
        self.validation.resume(event.step)

    def _advance(self, event: Step) -> None:
        if self.state in (None, "starting", "crashed", "silent"):
            self.state, self.reason = "running", ""
        self.step, self.total_steps = event.step, event.total_steps
        self.preparing = None
        self.tokens, self.seconds, self.remaining = event.tokens, event.seconds, event.remaining
        self.train_loss = event.loss
        self.learning_rate, self.gradient_norm = event.learning_rate, event.gradient_norm
        self.tokens_per_second, self.memory, self.mfu = event.tokens_per_second, event.memory, event.mfu
        self.train.append(event.step, event.loss)

    def _evaluate(self, event: Evaluation) -> None:
        version = self.validation.version
        self.validation.append(event.step, event.validation_loss)
        if self.validation.version == version:
            return
        self.validation_loss = event.validation_loss
        self.perplexity, self.bits_per_byte = event.perplexity, event.bits_per_byte
        if event.best:
            self.best_validation_loss, self.best_step = event.validation_loss, event.step

    def _clear_rates(self) -> None:
        self.remaining = self.tokens_per_second = self.mfu = None


@dataclass
class ModelView:
    """The model that answers. None, 0 or an empty text stands for what is not known yet."""

    name: str = ""
    config: ModelConfig | None = None
    tokenizer: str = ""  # its kind
    parameters: int | None = None
    flops_per_token: int = 0  # of training: forward and backward
    device: str = ""
    dtype: str = ""
    memory: int | None = None  # bytes
    step: int | None = None
    validation_loss: float | None = None

    @classmethod
    def of(cls, name: str, config: ModelConfig, tokenizer: str) -> ModelView:
        """What is known of a model before any weights are loaded."""
        return cls(name, config, tokenizer, parameter_count(config), flops_per_token(config))

    def apply(self, loaded: Loaded) -> None:
        """Take over what the generate process says about its weights."""
        self.parameters = loaded.parameters
        self.flops_per_token = loaded.flops_per_token or self.flops_per_token
        self.device, self.dtype, self.memory = loaded.device, loaded.dtype, loaded.memory
        self.step, self.validation_loss = loaded.step, loaded.validation_loss
