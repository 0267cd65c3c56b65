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
    share: float = 1.0  # of the windows of the protocol; below 1 while the run is young, and then never the best


@dataclass(frozen=True)
class Sample:
    """What the model writes at this step. With the same index, prompt and seed, samples of other steps compare."""

    step: int
    prompt: str
    text: str
    index: int = 0  # of the prompt among those of the run
    seed: int | None = None  # None in files written before it was the same at each step


@dataclass(frozen=True)
class LayerNorms:
    """The weights of each layer, and how far the update that led to this step moved them: that after an evaluation.

    The layers are "embedding", "block 0" and so on, "norm" and "head" where the model has them.
    """

    step: int
    weights: dict[str, float]  # the norm of all weights of the layer before that update
    updates: dict[str, float]  # the norm of the update over that of the weights


@dataclass(frozen=True)
class Times:
    """Where the time of a train process went until now, which is its end: the phases add up to the whole.

    It counts from when the run was asked for, where the process was told, else from its own start.
    """

    step: int
    phases: dict[str, float]  # seconds, in the order in which the phases first began


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
    """One sentence that the person should read: a warning, a choice made."""

    step: int
    text: str
    severity: Literal["information", "warning", "error"] = "information"


@dataclass(frozen=True)
class Acknowledged:
    """The answer to a command: it was carried out at this step, or refused. A signal is no command and has none."""

    step: int
    id: str  # of the command; empty where it had none
    name: str  # of the command, such as "pause"; empty where the line was no command
    text: str  # what was done, or why not, in one sentence
    accepted: bool
    time: float


@dataclass(frozen=True)
class Settings:
    """What people may change while it trains, as it is from this step on; written at the start and at each change."""

    step: int
    learning_rate_scale: float  # what the schedule's rates are multiplied by
    budget: str  # as Budget.parse reads it
    evaluation_interval: int  # steps; 0 chooses by time
    sample_prompts: tuple[str, ...]


TrainingEvent = (
    Preparing | Started | Step | Evaluation | Sample | LayerNorms | CheckpointSaved | StateChanged | Note
    | Acknowledged | Settings | Times
)  # fmt: skip
TRAINING_EVENTS: MessageCodec[TrainingEvent] = MessageCodec(
    "event", preparing=Preparing, started=Started, step=Step, eval=Evaluation, sample=Sample, norms=LayerNorms,
    checkpoint=CheckpointSaved, state=StateChanged, note=Note, acknowledged=Acknowledged,
    settings=Settings, times=Times,
)  # fmt: skip


# --- watcher -> train process ---------------------------------------------------------------------


CommandName = Literal[
    "pause", "resume", "stop", "stop_now", "save", "sample", "evaluate", "scale_learning_rate", "learning_rate_scale",
    "threads", "budget", "evaluation_interval", "sample_prompts",
]  # fmt: skip


@dataclass(frozen=True)
class Command:
    """A command to a run; the trainer looks for new ones between steps and answers each with Acknowledged.

    A stop saves first, stop_now leaves what is on disk as it is. A resume ends a pause, and takes a stop back that has
    not ended the run yet: the state is `running` again. `scale_learning_rate` multiplies the scale that is in force,
    `learning_rate_scale` puts another one in its place.
    """

    name: CommandName
    value: float | None = None  # a factor of the learning rate; a number of threads or of steps, where 0 chooses
    time: float = 0.0
    text: str = ""  # budget: what Budget.parse reads
    id: str = ""  # any short text by which the sender knows the answer
    texts: tuple[str, ...] = ()  # sample_prompts: the prompts


COMMANDS: MessageCodec[Command] = MessageCodec("kind", command=Command)
