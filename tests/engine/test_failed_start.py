"""A run whose training failed before its first step goes; one that has anything to lose stays."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from minigpt_tui.engine import locks, paths
from minigpt_tui.engine.events import TRAINING_EVENTS, Note, Preparing, StateChanged, Step, TrainingEvent
from minigpt_tui.engine.failed_start import discard_failed_start
from minigpt_tui.engine.runs import Run, RunState, RunStatus


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path))
    run = Run(paths.runs_dir() / "try-01")
    run.path.mkdir(parents=True)
    (run.path / "run.json").write_text("{}")
    return run


def end(run: Run, state: RunState = "failed", *events: TrainingEvent) -> None:
    run.lock_path.touch()
    run.log_path.write_text("why")
    run.write_status(RunStatus(state, 1, "here", 0, None, time.time()))
    lines = [Preparing("reading", None), Note(0, "odd", "warning"), *events, StateChanged(state, 0, 0.0, "no text")]
    run.metrics_path.write_text("".join(map(TRAINING_EVENTS.encode, lines)))


def test_a_start_that_failed_goes_to_the_trash_with_its_log(run: Run) -> None:
    end(run)
    folder = discard_failed_start(run)
    assert folder
    assert folder.parent == paths.trash_dir()
    assert (folder / "log.txt").read_text() == "why"
    assert not run.path.exists()


def test_a_run_that_never_had_a_process_goes_as_well(run: Run) -> None:
    assert discard_failed_start(run)


KEPT: dict[str, Callable[[Run], object]] = {
    "it trained a step": lambda run: end(run, "failed", Step(1, None, 1, 0.1, None, 4.0, 0.1, 0.1, 1.0, 1)),
    "it was stopped": lambda run: end(run, "stopped"),
    "it crashed": lambda run: end(run, "starting"),
    "a checkpoint": lambda run: (end(run), (run.checkpoints / "step-1").mkdir(parents=True)),
    "a person's file": lambda run: (end(run), (run.path / "notes.md").touch()),
    "a line that is no event": lambda run: (end(run), run.metrics_path.write_text("?\n")),
}


@pytest.mark.parametrize("what", KEPT)
def test_a_run_with_anything_to_lose_stays(run: Run, what: str) -> None:
    KEPT[what](run)
    before = sorted(run.path.rglob("*"))
    assert discard_failed_start(run) is None
    assert sorted(run.path.rglob("*")) == before


def test_a_run_whose_process_lives_stays(run: Run) -> None:
    end(run)
    held = locks.acquire(run.lock_path)
    assert held
    with held:
        assert discard_failed_start(run) is None
    assert discard_failed_start(run)
