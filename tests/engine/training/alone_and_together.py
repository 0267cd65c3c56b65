"""Runs that one process trains, and that several train together: both must come to the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest
from minigpt_tui.data.storage.atomic import write_atomic
from minigpt_tui.data.storage.typed_json import dumps
from minigpt_tui.engine.events import CheckpointSaved, Evaluation, StateChanged, Step, TrainingEvent
from minigpt_tui.engine.runs import Run
from minigpt_tui.models.recipe import Budget

from .conftest import read_events
from .preparing import prepared

# every evaluation and checkpoint at a fixed step
TRAINING = {
    "gradient_clip": 0.5, "weight_decay": 0.1, "schedule": "constant",
    "learning_rate": 2e-3, "embedding_learning_rate": 2e-3, "head_learning_rate": 2e-3,
    "checkpoint_interval": 4, "evaluation_interval": 4, "budget": Budget(4),
}  # fmt: skip


def rewrite(run: Run, **changes: object) -> None:
    """Change what run.json says."""
    manifest = dataclasses.replace(run.manifest(), **changes)  # type: ignore[arg-type]
    write_atomic(run.path / "run.json", dumps(manifest))


def lengthen(run: Run, steps: int) -> None:
    """Give the run another budget."""
    rewrite(run, training=dataclasses.replace(run.manifest().training, budget=Budget(steps)))


def train_alone(run: Run, resume: bool = False) -> None:
    """As one process does it, which holds everything."""
    prepared(run, resume).train()


def steps_saved(events: Sequence[TrainingEvent]) -> list[int]:
    """The steps at which a run could be resumed."""
    return [event.step for event in events if isinstance(event, CheckpointSaved) and event.kind == "last"]


def figures(events: Sequence[TrainingEvent]) -> list[tuple[float | None, ...]]:
    """What was computed at fixed steps: norms and evaluations. A loss is the mean of as many steps as time allowed."""
    return [
        (event.step, event.gradient_norm)
        if isinstance(event, Step)
        else (event.step, event.validation_loss, event.bits_per_byte)
        for event in events
        if isinstance(event, Step | Evaluation) and event.step % 4 == 0
    ]


def assert_same_figures(one: Run, other: Run, *, at_least: int) -> None:
    """The runs computed the same, but for rounding, at so many steps and evaluations."""
    first, second = figures(read_events(one)), figures(read_events(other))
    assert len(first) >= at_least
    assert second == [pytest.approx(numbers, rel=1e-5) for numbers in first]


def assert_lost_and_resumable(run: Run, output: str) -> None:
    """The run has failed because one of two processes was lost, and goes on from its last checkpoint."""
    final = [event for event in read_events(run) if isinstance(event, StateChanged)][-1]
    assert final.state == "failed", output
    assert "one of the 2 processes that train together was lost; resume the run" in final.reason
    step = steps_saved(read_events(run))[-1]
    lengthen(run, step + 4)
    train_alone(run, resume=True)
    assert run.state() == "finished"
    assert steps_saved(read_events(run))[-1] == step + 4
