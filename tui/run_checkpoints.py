"""The checkpoints of a run that can be loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..engine.runs import Run


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that can be loaded."""

    folder: Path
    words: str


def checkpoints_of(run: Run) -> list[Checkpoint]:
    """The best one, the last one, and those of the history, the newest first."""
    named = [
        Checkpoint(run.checkpoints / name, words)
        for name, words in (("best", "best: the lowest validation loss"), ("last", "last: the newest"))
        if _is_complete(run.checkpoints / name)
    ]
    return [*named, *(Checkpoint(folder, f"step {step:,}") for step, folder in reversed(history_of(run)))]


def history_of(run: Run) -> list[tuple[int, Path]]:
    """The checkpoints that are kept to look back to, by their steps, the oldest first."""
    steps = [(folder.name.removeprefix("step-"), folder) for folder in run.checkpoints.glob("step-*")]
    return sorted((int(step), folder) for step, folder in steps if step.isdecimal() and _is_complete(folder))


def _is_complete(folder: Path) -> bool:
    return (folder / "minigpt.json").is_file()
