"""The protocol: every message between the app, the train process and the generate process.

    train process    --> metrics.jsonl   TRAINING_EVENTS      --> any watcher
    any watcher      --> commands.jsonl  COMMANDS             --> train process
    app              --> stdin           REQUESTS             --> generate process
    generate process --> stdout          GENERATION_MESSAGES  --> app

Losses are nats per token, rates per second, times seconds, memory bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..models.recipe import Protocol
from .wire import Vocabulary

RunState = Literal["starting", "running", "paused", "finished", "stopped", "failed"]
ENDED: tuple[RunState, ...] = ("finished", "stopped", "failed")


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
    mfu: float | None = None


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
    """The run's state; the last one in the file is how it stands, unless the lock is free."""

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
TRAINING_EVENTS: Vocabulary[TrainingEvent] = Vocabulary(
    "event", preparing=Preparing, started=Started, step=Step, eval=Evaluation, sample=Sample,
    checkpoint=CheckpointSaved, state=StateChanged, note=Note,
)  # fmt: skip


# --- watcher -> train process ---------------------------------------------------------------------


@dataclass(frozen=True)
class Command:
    """An order to a run; the trainer looks for new ones between steps and answers by an event."""

    name: Literal["pause", "resume", "stop", "save", "sample", "evaluate", "scale_learning_rate", "threads", "budget"]
    value: float | None = None  # scale_learning_rate: the factor; threads: the number, 0 for all
    time: float = 0.0
    text: str = ""  # budget: what Budget.parse reads


COMMANDS: Vocabulary[Command] = Vocabulary("kind", command=Command)


# --- app -> generate process ----------------------------------------------------------------------


@dataclass(frozen=True)
class SamplingSettings:
    """How tokens are drawn. Raises ValueError with the range for a value outside it."""

    temperature: float = 0.8  # 0 is greedy
    top_k: int = 0  # 0 is off
    top_p: float = 1.0  # 1 is off
    max_tokens: int = 400
    seed: int | None = None  # None: a new one for each reply
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, low, high in (
            ("temperature", 0, 100), ("top_k", 0, 1_000_000), ("max_tokens", 1, 1_000_000),
        ):  # fmt: skip
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} must lie between {low} and {high}, not {getattr(self, name)}")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be above 0 and at most 1, not {self.top_p}")
        if self.seed is not None and not 0 <= self.seed < 2**63:
            raise ValueError(f"seed must lie between 0 and {2**63 - 1}, not {self.seed}")
        if any(not text for text in self.stop):
            raise ValueError("a stop string cannot be empty")


@dataclass(frozen=True)
class Load:
    """Load a model: a run folder, or anything else that `model_files.find_model` finds.

    With `follow`, the newest checkpoint of a run or of that folder is looked for again before each Generate.
    """

    id: int
    path: str
    follow: bool = True
    device: str = "auto"
    dtype: str = "auto"
    threads: int = 0


@dataclass(frozen=True)
class Generate:
    """Continue `prompt`. It is answered by Tokens and one Ended, or by one Failed."""

    id: int
    prompt: str
    settings: SamplingSettings = SamplingSettings()


@dataclass(frozen=True)
class Cancel:
    """Stop the Generate with this id; what it wrote is kept."""

    id: int


@dataclass(frozen=True)
class Ping:
    """Answered by Pong at once, also while text streams."""

    id: int


Request = Load | Generate | Cancel | Ping
REQUESTS: Vocabulary[Request] = Vocabulary("request", load=Load, generate=Generate, cancel=Cancel, ping=Ping)


# --- generate process -> app ----------------------------------------------------------------------


@dataclass(frozen=True)
class Hello:
    """The process lives; sent before torch is imported."""

    pid: int
    protocol: int = 1


@dataclass(frozen=True)
class Ready:
    """Torch is imported; requests are answered from now on (earlier ones waited)."""

    torch: str
    device: str


@dataclass(frozen=True)
class Loaded:
    """A model is in memory: the answer to Load, and sent again when newer weights were picked up."""

    id: int
    path: str
    step: int
    parameters: int
    vocab_size: int
    context_length: int
    device: str
    dtype: str
    memory: int
    validation_loss: float | None = None
    flops_per_token: int = 0  # of training: forward and backward


@dataclass(frozen=True)
class Tokens:
    """A piece of a reply: whole characters, `count` tokens."""

    id: int
    text: str
    count: int


@dataclass(frozen=True)
class Ended:
    """A reply is complete; `notices` are sentences for the status line."""

    id: int
    reason: Literal["length", "stop", "cancelled"]
    tokens: int
    prompt_tokens: int
    seconds: float
    tokens_per_second: float
    step: int
    seed: int
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failed:
    """A request could not be carried out; `message` says what was wrong, where, and what to do."""

    id: int
    kind: Literal["checkpoint", "prompt", "memory", "internal"]
    message: str


@dataclass(frozen=True)
class Pong:
    """The answer to Ping."""

    id: int


GenerationMessage = Hello | Ready | Loaded | Tokens | Ended | Failed | Pong
GENERATION_MESSAGES: Vocabulary[GenerationMessage] = Vocabulary(
    "answer", hello=Hello, ready=Ready, loaded=Loaded, tokens=Tokens, ended=Ended, failed=Failed, pong=Pong
)


# --- evaluate process -> command line -------------------------------------------------------------


@dataclass(frozen=True)
class EvaluationResult:
    """What `evaluate` prints: one object."""

    run: str
    step: int
    loss: float
    perplexity: float
    bits_per_byte: float
    protocol: Protocol
    tokens: int


# --- export process -> command line ---------------------------------------------------------------


@dataclass(frozen=True)
class ExportResult:
    """What `export` prints: one object; `notices` are sentences about what is different over there."""

    path: str
    bytes: int
    architecture: str  # in the words of the program that reads it
    dtype: str  # of the matrices
    parameters: int
    notices: tuple[str, ...] = ()
