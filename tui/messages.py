"""What the bridge tells the screens: facts and sentences, nothing that needs a widget or an engine to understand."""

from __future__ import annotations

from typing import Literal

from textual.message import Message

from ..engine.events import CheckpointSaved, Note
from ..engine.requests import Ended, Loaded, TokenDetail
from ..engine.runs import Run, ShownState
from .found_models import FoundModel

Severity = Literal["information", "warning", "error"]


class RunAttached(Message):
    """From now on the screen shows this run."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run


class ModelOpened(Message):
    """From now on the screen shows this model, which no run belongs to; the run `left` behind, if any, trains on."""

    def __init__(self, found: FoundModel, left: str) -> None:
        super().__init__()
        self.found = found
        self.left = left


class TrainingChanged(Message):
    """The training view has new figures; posted a few times a second at most."""

    def can_replace(self, message: Message) -> bool:
        """Two of these in the queue are one."""
        return isinstance(message, TrainingChanged)


class TrainingState(Message):
    """The run's state changed while we watched."""

    def __init__(self, before: ShownState | None, state: ShownState) -> None:
        super().__init__()
        self.before: ShownState | None = before
        self.state: ShownState = state


class TrainingNote(Message):
    """Something that the run says: a note, or that a checkpoint is saved."""

    def __init__(self, event: Note | CheckpointSaved) -> None:
        super().__init__()
        self.event = event


class ModelLoading(Message):
    """The generate process was asked for a model."""


class ModelReady(Message):
    """A model is in memory, or its newer weights are. `first` is false for newer weights of the same model."""

    def __init__(self, loaded: Loaded, first: bool) -> None:
        super().__init__()
        self.loaded = loaded
        self.first = first


class ModelFailed(Message):
    """A model could not be loaded, or there is no process to load it; `sentence` says what to do."""

    def __init__(self, sentence: str) -> None:
        super().__init__()
        self.sentence = sentence


class ReplyText(Message):
    """A piece of a reply that streams, with the details of its tokens where they were asked for."""

    def __init__(self, text: str, details: tuple[TokenDetail, ...] = (), sample: int = 0) -> None:
        super().__init__()
        self.text = text
        self.details = details
        self.sample = sample


class ReplyEnded(Message):
    """A reply is complete, or was stopped; of several to one prompt, one of them."""

    def __init__(self, ended: Ended) -> None:
        super().__init__()
        self.ended = ended


class ReplyFailed(Message):
    """The reply could not be written; `prompt` goes back to the person."""

    def __init__(self, sentence: str, prompt: str) -> None:
        super().__init__()
        self.sentence = sentence
        self.prompt = prompt


class Notice(Message):
    """A sentence for the person that belongs to no reply."""

    def __init__(self, sentence: str, severity: Severity = "information") -> None:
        super().__init__()
        self.sentence = sentence
        self.severity: Severity = severity
