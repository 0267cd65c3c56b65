"""A run in words: its state as a glyph, a word and a colour, and whole sentences for the transcript."""

from __future__ import annotations

from pathlib import PurePath
from time import time
from typing import TYPE_CHECKING, NamedTuple

from ..engine.events import Evaluation, Preparing
from ..engine.runs import Run, RunManifest, ShownState
from . import keys
from .state import TrainingView
from .text import formatting

if TYPE_CHECKING:
    from .found_models import FoundModel


class StateStyle(NamedTuple):
    """How a state is shown; none of the three parts has to carry the meaning alone."""

    glyph: str
    word: str
    colour: str  # the name of a theme variable

    @property
    def label(self) -> str:
        return f"{self.glyph} {self.word}"


STATE_STYLES: dict[ShownState, StateStyle] = {
    "starting": StateStyle("◌", "starting", "accent"),
    "running": StateStyle("●", "training", "success"),
    "paused": StateStyle("‖", "paused", "warning"),
    "finished": StateStyle("✓", "finished", "primary"),
    "stopped": StateStyle("■", "stopped", "secondary"),
    "failed": StateStyle("✗", "failed", "error"),
    "crashed": StateStyle("✗", "crashed", "error"),
    "silent": StateStyle("?", "silent", "warning"),
}

STAGES = {
    "reading": "reading the text",
    "tokenizer": "making the tokenizer",
    "encoding": "encoding the text",
    "loading": "loading the model",
}


def protocol_words(evaluation: Evaluation) -> str:
    """Its protocol, and how much of that it computed where the run was young."""
    return evaluation.protocol + (f", {evaluation.share:.0%} of its windows" if evaluation.share < 1 else "")


def stage(event: Preparing) -> str:
    """What a train process does before its first step: "encoding the text 42%"."""
    percentage = "" if event.fraction is None else f" {event.fraction:.0%}"
    return STAGES[event.stage] + percentage


def run_opened(manifest: RunManifest, training: TrainingView) -> str:
    """What the transcript says when a run comes on screen."""
    name, corpus = manifest.name, formatting.one_line(manifest.corpus.name)
    if training.state == "starting" and not training.step:
        budget = manifest.training.budget
        return (
            f"{name} begins to learn from {corpus}{_start_from(manifest.start_from)}: preset {manifest.preset}, "
            f"{budget}. Its first words come soon."
        )
    if not training.ended:
        return f"{name} is training on {corpus}: {_progress(training)}."
    ending = (
        f" It {_verb(training.state)}: {training.reason}." if training.reason and training.state != "finished" else ""
    )
    return f"{name} has learned from {corpus}: {_progress(training)}.{ending}"


def _start_from(start_from: str | None) -> str:
    """Whose weights the run starts from, where they are not new."""
    if start_from is None:
        return ""
    path = PurePath(start_from)
    model = path.parent.parent.name if path.parent.name == "checkpoints" else path.name
    return f" with the weights of {formatting.one_line(model)}"


def model_opened(found: FoundModel, still_training: str = "") -> str:
    """What the transcript says when a model without a run is opened; `still_training` names a run that trains on."""
    name, where = formatting.one_line(found.file.name), formatting.one_line(str(found.file.path))
    size = formatting.parameters(found.parameters)
    if still_training:
        beside = f"{formatting.one_line(still_training)} trains on without it, {keys.spoken('desk.train')} shows it"
    else:
        beside = "Nothing trains here"
    return (
        f"{name} is opened, a {found.kind} of {size} parameters: {where}. "
        f"{beside}; {keys.spoken('model.train')} trains {name if still_training else 'it'} further on a text of yours."
    )


def state_changed(training: TrainingView, before: ShownState | None, state: ShownState) -> tuple[str, bool]:
    """What to say when the run's state changes, and whether that belongs in the transcript or is a brief notice.

    The sentence is empty where the panels say enough.
    """
    name, reason = training.name, training.reason
    match state:
        case "finished":
            return f"{name} is trained: {_progress(training)}, in {formatting.duration(training.seconds)}.", True
        case "stopped":
            why = f" ({formatting.one_line(reason)})" if reason else ""
            return (
                f"{name} is stopped and saved at step {training.step:,}{why}; "
                f"{keys.spoken('desk.train')} lists it, and {keys.spoken('runs.continue')} continues it.",
                True,
            )
        case "failed" | "crashed":
            why = formatting.one_line(reason) or "the train process did not say why; its log.txt may"
            return f"{name} {_verb(state)} at step {training.step:,}: {why}", True
        case "silent":
            return f"{name} is silent at step {training.step:,}: {reason}", True
        case "paused":
            return f"{name} is paused at step {training.step:,}; {keys.spoken('run.pause')} lets it go on", False
        case "running" if before == "paused":
            return f"{name} goes on", False
        case _:
            return "", False


def last_heard(run: Run) -> str:
    """When the host on which a run is trained was heard of last; empty for a run of this host."""
    if (last := run.last_host()) is None:
        return ""
    host, since = last
    return f"trained on {formatting.one_line(host)}, last heard of {formatting.duration(abs(time() - since))} ago"


def _verb(state: ShownState | None) -> str:
    return {"failed": "failed", "crashed": "crashed", "stopped": "was stopped", "silent": "is silent"}.get(
        state or "", "ended"
    )


def _progress(training: TrainingView) -> str:
    of = f" of {training.total_steps:,}" if training.total_steps and training.state != "finished" else ""
    loss = training.validation_loss
    return f"step {training.step:,}{of}" + (f", validation loss {formatting.loss(loss)}" if loss is not None else "")
