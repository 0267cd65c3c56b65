"""What the bridge and the generator tell the chat: facts and sentences, whatever widget may show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from textual.message import Message

from ..engine.runs import ShownState

if TYPE_CHECKING:
    from .found_models import FoundModel

Severity = Literal["information", "warning", "error"]


class RunAttached(Message):
    """Another run is on screen: the bridge's."""


class RunForgotten(Message):
    """The run on screen was deleted."""


class RunStateChanged(Message):
    """The state of the run on screen changed."""

    def __init__(self, before: ShownState | None, state: ShownState) -> None:
        super().__init__()
        self.before: ShownState | None = before
        self.state: ShownState = state


class ModelOpened(Message):
    """A model without a run is on screen; `still_training` names the run that was there before, if it trains on."""

    def __init__(self, found: FoundModel, still_training: str) -> None:
        super().__init__()
        self.found = found
        self.still_training = still_training


class ModelLoading(Message):
    """The generate process was asked for a model."""


class ModelReady(Message):
    """A model is in memory, or, where `first` is false, newer weights of the same model."""

    def __init__(self, first: bool) -> None:
        super().__init__()
        self.first = first


class ModelFailed(Message):
    """A model could not be loaded, or there is no process to load it; `sentence` says what to do."""

    def __init__(self, sentence: str) -> None:
        super().__init__()
        self.sentence = sentence


class Notice(Message):
    """A sentence for the person: `lasting` ones stay in the transcript, the others are shown for some seconds."""

    def __init__(self, sentence: str, severity: Severity = "information", *, lasting: bool = False) -> None:
        super().__init__()
        self.sentence = sentence
        self.severity: Severity = severity
        self.lasting = lasting


class ExportWanted(Message):
    """The person wants the model of this name or path as a GGUF file."""

    def __init__(self, model: str) -> None:
        super().__init__()
        self.model = model


class SessionsWanted(Message):
    """The person wants the list of all sessions."""


class RunsMarked(Message):
    """Other runs are marked in the table: the names of their folders, in the order in which they were marked.

    Of two with the same name the one from elsewhere is called by its path.
    """

    def __init__(self, runs: list[str]) -> None:
        super().__init__()
        self.runs = runs


class RepliesEnded(Message):
    """All replies to a prompt are complete, `seconds` after they were asked for."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


class SettingsChanged(Message):
    """The person has changed something in the settings."""


class ExplainNoMore(Message):
    """The person does not want the tokens of later replies explained."""
