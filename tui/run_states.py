"""How a run's state looks: a glyph, a word and a colour, so that none of them has to carry the meaning alone."""

from __future__ import annotations

from typing import NamedTuple

from ..engine.events import Preparing
from ..engine.runs import ShownState


class Look(NamedTuple):
    """`colour` is the name of a theme variable."""

    glyph: str
    word: str
    colour: str

    @property
    def label(self) -> str:
        """Glyph and word."""
        return f"{self.glyph} {self.word}"


LOOKS: dict[ShownState, Look] = {
    "starting": Look("◌", "starting", "accent"),
    "running": Look("●", "training", "success"),
    "paused": Look("‖", "paused", "warning"),
    "finished": Look("✓", "finished", "primary"),
    "stopped": Look("■", "stopped", "secondary"),
    "failed": Look("✗", "failed", "error"),
    "crashed": Look("✗", "crashed", "error"),
}

STAGES = {
    "reading": "reading the text",
    "tokenizer": "making the tokenizer",
    "encoding": "encoding the text",
    "loading": "loading the model",
}


def stage(event: Preparing) -> str:
    """What a train process does before its first step: "encoding the text 42%"."""
    percentage = "" if event.fraction is None else f" {event.fraction:.0%}"
    return STAGES[event.stage] + percentage
