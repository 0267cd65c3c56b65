"""What the generate process is asked and what it answers, one message a line.

    app              --> stdin   REQUESTS             --> generate process
    generate process --> stdout  GENERATION_MESSAGES  --> app

Losses are nats per token, rates per second, times seconds, memory bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from ..data.speakers.form import SpeechForm
from ..data.storage.errors import UserError
from ..models.config import described
from .wire import MessageCodec

Quantization = Literal["none", "int8"]


class RequestError(UserError, ValueError):
    """A prompt, a text or settings with which nothing can be done; another request may well succeed."""


# --- app -> generate process ----------------------------------------------------------------------


@dataclass(frozen=True)
class SamplingSettings:
    """How tokens are drawn. Raises ValueError with the range for a value outside it."""

    temperature: float = described(0.8, "Higher is wilder; 0 always takes the likeliest token.")
    top_k: int = described(0, "Draw from the k likeliest tokens; 0 is off.")
    top_p: float = described(1.0, "Draw from the likeliest tokens that make up p; 1 is off.")
    min_p: float = described(0.0, "Leave out tokens below this share of the likeliest one's probability; 0 is off.")
    typical_p: float = described(1.0, "Draw from the tokens whose surprise is most typical, up to p; 1 is off.")
    repetition_penalty: float = described(1.0, "Above 1, tokens of the text so far become less likely; 1 is off.")
    presence_penalty: float = described(
        0.0, "Subtracted once from the logit of each token of the text so far; 0 is off."
    )
    frequency_penalty: float = described(
        0.0, "Subtracted for each time that the token stands in the text so far; 0 is off."
    )
    penalty_window: int = described(0, "How many of the last tokens the penalties look at; 0 is all of them.")
    max_tokens: int = described(400, "Where a reply ends at the latest.")
    seed: int | None = described(None, "One seed, one reply; without one, a new one for each reply.")
    stop: tuple[str, ...] = described((), "A reply ends before the first of these texts.")
    forbidden: tuple[str, ...] = described((), "Texts that are never written, as the tokenizer spells them.")
    literal: bool = described(False, "Read the names of special tokens, such as <|endoftext|>, as plain text.")

    def __post_init__(self) -> None:
        for name, (low, high) in SAMPLING_RANGES.items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} must lie between {low:,} and {high:,}, not {getattr(self, name)}")
        for name in ("top_p", "typical_p"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name} must be above 0 and at most 1, not {getattr(self, name)}")
        if not 0 < self.repetition_penalty <= 100:
            raise ValueError(f"repetition_penalty must be above 0 and at most 100, not {self.repetition_penalty}")
        if self.seed is not None and not 0 <= self.seed < 2**63:
            raise ValueError(f"seed must lie between 0 and {2**63 - 1}, not {self.seed}")
        for name in ("stop", "forbidden"):
            if any(not text for text in getattr(self, name)):
                raise ValueError(f"a {name} text cannot be empty")

    def shaped_as(self, other: SamplingSettings) -> SamplingSettings:
        """These with what shapes the distribution of `other`."""
        return replace(self, **{name: getattr(other, name) for name in SHAPE})

    @property
    def has_penalties(self) -> bool:
        """Whether any penalty is on."""
        return (self.repetition_penalty, self.presence_penalty, self.frequency_penalty) != (1, 0, 0)


SHAPE = (
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "typical_p",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
    "penalty_window",
)
"""The fields of SamplingSettings that shape the distribution: what is changed while a reply is written."""

SAMPLING_RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0, 100), "top_k": (0, 1_000_000), "min_p": (0, 1), "presence_penalty": (-100, 100),
    "frequency_penalty": (-100, 100), "penalty_window": (0, 1_000_000), "max_tokens": (1, 1_000_000),
}  # fmt: skip


@dataclass(frozen=True)
class SettingsChange:
    """Behind the first `at` tokens of a reply, the others were drawn with the shape of these settings."""

    at: int
    settings: SamplingSettings


MOST_SAMPLES = 256  # of one prompt at once
MOST_ALTERNATIVES = 50  # of one token

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True)
class Turn:
    """What one side of a conversation said."""

    role: Role
    text: str


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
    quantize: Quantization = "none"


@dataclass(frozen=True)
class Generate:
    """Continue `prompt`. It is answered by Tokens and one Ended for each of `samples`, or by one Failed.

    `then` are the ids of tokens that stand between the encoded prompt and the reply, such as those of a reply that goes
    on where it stopped. What they have written already is not sent again; a character of which they hold the first
    bytes alone belongs to what is sent. `messages` take the place of the prompt, framed by the model's chat template;
    an assistant's at their end is continued. With a `speech` the prompt ends with the opening of one in that form, as
    `SpeechForm.frame` makes it, and the reply ends with it: before the next speaker's line, whoever speaks there.

    With `explain`, Tokens carry the details of each token, with `alternatives` of each place; nothing else differs.
    `changes` of the settings, in the order of their tokens, are made again as in a reply before, whose Ended has them.
    Raises ValueError for a number of samples or of alternatives that cannot be, and for a prompt beside messages.
    """

    id: int
    prompt: str
    settings: SamplingSettings = SamplingSettings()
    samples: int = 1
    explain: bool = False
    then: tuple[int, ...] = ()
    alternatives: int = 10
    messages: tuple[Turn, ...] = ()
    speech: SpeechForm | None = None
    changes: tuple[SettingsChange, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.samples <= MOST_SAMPLES:
            raise ValueError(f"samples must lie between 1 and {MOST_SAMPLES}, not {self.samples}")
        _check_alternatives(self.alternatives)
        _check_messages(self.prompt, self.messages)


@dataclass(frozen=True)
class ExplainPlace:
    """Explain which token would come next after `prompt`, `then` and `messages`, which mean the same as in Generate.

    It is answered by one Place, or by one Failed. Raises ValueError as Generate does.
    """

    id: int
    prompt: str
    then: tuple[int, ...] = ()
    settings: SamplingSettings = SamplingSettings()
    alternatives: int = 10
    messages: tuple[Turn, ...] = ()

    def __post_init__(self) -> None:
        _check_alternatives(self.alternatives)
        _check_messages(self.prompt, self.messages)


@dataclass(frozen=True)
class ScoreText:
    """Score `text` under the model. It is answered by some ScoreProgress and one Scored, or by one Failed.

    With `start`, only what stands behind so many characters is scored, given all before it. `messages` take the place
    of the text, framed by the model's chat template: of them the last one is scored, given the frame before it. Raises
    ValueError for a number of alternatives or a start that cannot be, and for a text beside messages.
    """

    id: int
    text: str
    explain: bool = False
    literal: bool = False  # names of special tokens are plain text
    alternatives: int = 10  # of each token that is explained
    start: int = 0
    messages: tuple[Turn, ...] = ()

    def __post_init__(self) -> None:
        _check_alternatives(self.alternatives)
        _check_messages(self.text, self.messages)
        if self.start < 0:
            raise ValueError(f"start must be at least 0, not {self.start}")


@dataclass(frozen=True)
class Cancel:
    """Stop the Generate, ExplainPlace or ScoreText with this id; what was written is kept."""

    id: int


@dataclass(frozen=True)
class ChangeSampling:
    """Draw what follows of the Generate with this id, from the next token on, with the shape of these settings."""

    id: int
    settings: SamplingSettings


@dataclass(frozen=True)
class Ping:
    """Answered by Pong at once, also while text streams."""

    id: int


Request = Load | Generate | ExplainPlace | ScoreText | Cancel | ChangeSampling | Ping
REQUESTS: MessageCodec[Request] = MessageCodec(
    "request",
    load=Load,
    generate=Generate,
    explain=ExplainPlace,
    score=ScoreText,
    cancel=Cancel,
    change=ChangeSampling,
    ping=Ping,
)


def _check_alternatives(number: int) -> None:
    if not 0 <= number <= MOST_ALTERNATIVES:
        raise ValueError(f"alternatives must lie between 0 and {MOST_ALTERNATIVES}, not {number}")


def _check_messages(text: str, messages: tuple[Turn, ...]) -> None:
    if text and messages:
        raise ValueError("a text and messages cannot be read together; put the text into a message")


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
    chat: bool = False  # whether it has a chat template
    checkpoint: str = ""  # SHA-256 of the weights as they lie on disk, "" where it is unknown


@dataclass(frozen=True)
class Alternative:
    """One of the likeliest tokens at a place in the text."""

    token: int
    text: str
    probability: float  # under the model
    drawn_probability: float  # after penalties, temperature and filters


@dataclass(frozen=True)
class TokenDetail:
    """Why a token stands where it does. In a text that was scored nothing was drawn, and both probabilities agree."""

    token: int
    text: str  # of the token alone; bytes that are no whole character are named, as <E2>
    probability: float  # under the model
    drawn_probability: float  # after penalties, temperature and filters
    rank: int  # 1: the model found no token likelier
    entropy: float  # of the model's distribution, in nats
    alternatives: tuple[Alternative, ...]  # the likeliest tokens under the model, the likeliest first
    characters: int = 0  # of the text that it stands for: none where it ends in the middle of one


@dataclass(frozen=True)
class Tokens:
    """A piece of a reply: whole characters, `count` tokens, and what was asked about each of them."""

    id: int
    text: str
    count: int
    sample: int = 0
    details: tuple[TokenDetail, ...] = ()


@dataclass(frozen=True)
class Ended:
    """A reply is complete, or one of its samples; `notices` are sentences for the status line."""

    id: int
    reason: Literal["length", "stop", "cancelled"]
    tokens: int
    prompt_tokens: int
    seconds: float
    tokens_per_second: float
    step: int
    seed: int  # repeats this text, also that of one sample alone
    notices: tuple[str, ...] = ()
    sample: int = 0
    checkpoint: str = ""  # of the weights that wrote it, as in Loaded
    prompt_text: str = ""  # the messages as the chat template framed them; of a very long frame the end
    changes: tuple[SettingsChange, ...] = ()  # of the settings while it was written: with them the seed repeats it


@dataclass(frozen=True)
class Place:
    """Which token would come next at a place in a text."""

    id: int
    alternatives: tuple[Alternative, ...]  # the likeliest tokens under the model, the likeliest first
    drawn_alternatives: tuple[Alternative, ...]  # the likeliest after penalties, temperature and filters
    entropy: float  # of the model's distribution, in nats
    drawn_entropy: float  # of the distribution that would be drawn from
    rest: float  # what all tokens but `alternatives` have together, under the model
    drawn_rest: float  # and after penalties, temperature and filters
    step: int
    checkpoint: str = ""  # as in Loaded
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class ScoreProgress:
    """A part of a text is scored: how much of it so far, and the details of the tokens that came with this part.

    The characters of all details together end where the text or the last message ends; those before them have no
    probability.
    """

    id: int
    fraction: float
    details: tuple[TokenDetail, ...] = ()


@dataclass(frozen=True)
class Scored:
    """A whole text is scored: each token given those before it."""

    id: int
    loss: float  # nats per token
    perplexity: float
    bits_per_byte: float
    tokens: int  # that were predicted; the first one only where the model expects something before every text
    step: int
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


GenerationMessage = Hello | Ready | Loaded | Tokens | Ended | Place | ScoreProgress | Scored | Failed | Pong
GENERATION_MESSAGES: MessageCodec[GenerationMessage] = MessageCodec(
    "answer", hello=Hello, ready=Ready, loaded=Loaded, tokens=Tokens, ended=Ended, place=Place, scoring=ScoreProgress,
    scored=Scored, failed=Failed, pong=Pong,
)  # fmt: skip
