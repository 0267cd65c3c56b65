"""What a train process and its watchers write into the run folder.

    train process --> metrics.jsonl   TRAINING_EVENTS --> any watcher
    any watcher   --> commands.jsonl  COMMANDS        --> train process

Losses are nats per token, rates per second, times seconds, memory bytes. The files of every run ever made are in these
words: a field or a tag is added, never renamed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..models.recipe import Protocol
from .wire import MessageCodec

RunState = Literal["starting", "running", "paused", "finished", "stopped", "failed"]
ENDED_STATES: tuple[RunState, ...] = ("finished", "stopped", "failed")


# --- train process -> watcher ---------------------------------------------------------------------


@dataclass(frozen=True)
class Started:
    """The train process has its data, model and device; written again by each resume."""

    step: int
    total_steps: int | None  # None: the budget is in minutes and no step has been timed yet
    parameters: int
    vocab_size: int
    train_tokens: int
    validation_tokens: int
    device: str
    device_name: str
    dtype: str
    threads: int
    reason: str  # why this device, dtype and number of threads, in one sentence
    time: float
    entropy_floor: float | None = None  # the corpus generator's own loss on the validation text, where it is known


@dataclass(frozen=True)
class Preparing:
    """Work before the first update that a person may have to wait for; a few of these a second."""

    stage: Literal["reading", "tokenizer", "encoding", "loading"]
    fraction: float | None  # of the stage that is done; None where nobody can know


@dataclass(frozen=True)
class Step:
    """Progress; a few of these a second, however fast the steps are."""

    step: int
    total_steps: int | None
    tokens: int
    seconds: float  # training time so far, without evaluations, checkpoints and pauses
    remaining: float | None  # seconds until the budget ends
    loss: float  # mean training loss since the last Step
    learning_rate: float
    gradient_norm: float | None
    tokens_per_second: float
    memory: int
    mfu: float | None = None  # the model's FLOPs as a share of what its devices can do; None where that is not known


@dataclass(frozen=True)
class Evaluation:
    """Losses on held-out text under a named protocol."""

    step: int
    seconds: float
    validation_loss: float
    perplexity: float
    bits_per_byte: float
    protocol: Protocol
    best: bool
    train_loss: float | None = None


@dataclass(frozen=True)
class Sample:
    """What the model writes at this step."""

    step: int
    prompt: str
    text: str


@dataclass(frozen=True)
class CheckpointSaved:
    """A checkpoint is complete on disk."""

    step: int
    kind: Literal["last", "best", "history"]
    validation_loss: float | None = None


@dataclass(frozen=True)
class StateChanged:
    """The run's state. The last one in the file is the current one; if no process holds the lock, the run crashed."""

    state: RunState
    step: int
    time: float
    reason: str = ""


@dataclass(frozen=True)
class Note:
    """One sentence that the person should read: a warning, a choice made, an answer to a command."""

    step: int
    text: str
    severity: Literal["information", "warning", "error"] = "information"


TrainingEvent = Preparing | Started | Step | Evaluation | Sample | CheckpointSaved | StateChanged | Note
TRAINING_EVENTS: MessageCodec[TrainingEvent] = MessageCodec(
    "event", preparing=Preparing, started=Started, step=Step, eval=Evaluation, sample=Sample,
    checkpoint=CheckpointSaved, state=StateChanged, note=Note,
)  # fmt: skip


# --- watcher -> train process ---------------------------------------------------------------------


@dataclass(frozen=True)
class Command:
    """A command to a run; the trainer looks for new ones between steps and answers by an event.

    A resume ends a pause, and takes a stop back that has not ended the run yet: the state is `running` again.
    """

    name: Literal["pause", "resume", "stop", "save", "sample", "evaluate", "scale_learning_rate", "threads", "budget"]
    value: float | None = None  # scale_learning_rate: the factor; threads: the number, 0 for all
    time: float = 0.0
    text: str = ""  # budget: what Budget.parse reads


COMMANDS: MessageCodec[Command] = MessageCodec("kind", command=Command)
