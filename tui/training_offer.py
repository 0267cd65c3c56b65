"""The offer to train that stands in the transcript while there is no model, and what an answer to it means."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..data.catalog import CATALOG
from ..data.typed_path import typed_path
from . import keys
from .text.typed_paths import looks_like_path

BUILT_IN = "tales"


@dataclass(frozen=True)
class TrainingOffer:
    """Enter alone trains on `corpus`; a path or the name of a corpus trains on that instead."""

    corpus: str = BUILT_IN

    @property
    def name(self) -> str:
        """The corpus as a person would call it."""
        return Path(self.corpus).name if looks_like_path(self.corpus) else self.corpus

    @property
    def lines(self) -> tuple[str, str, str]:
        """What this is, what Enter does, and what else one can do."""
        if self.corpus == BUILT_IN:
            what = (
                f"Press Enter: a first model learns from {BUILT_IN}, a built-in text of little scenes, in some seconds."
            )
        else:
            what = f"Press Enter: a model learns from {self.name}."
        return (
            "This trains a small GPT on a text, here on this machine, and lets you talk to it while it learns.",
            what,
            "Or type the path of a text file or folder of yours and press Enter: it learns from that instead. "
            f"{keys.spoken('model.open')} opens a model that you have.",
        )

    @property
    def placeholder(self) -> str:
        """What the empty prompt says."""
        return f"Enter trains a model on {self.name} · or type the path of a text"

    def accepted(self, answer: str) -> str | None:
        """The corpus that `answer` asks for, None where it asks for none."""
        answer = answer.strip()
        if not answer:
            return self.corpus
        if looks_like_path(answer):
            return str(typed_path(answer))
        return answer if answer.split(":")[0] in CATALOG else None
