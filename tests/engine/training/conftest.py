"""Small real runs in a home of their own."""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from minigpt_tui.data.corpus import open_corpus
from minigpt_tui.engine.events import TRAINING_EVENTS, TrainingEvent
from minigpt_tui.engine.launch import new_run
from minigpt_tui.engine.runs import Run
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.recipe import Budget, Recipe, TrainingConfig

MODEL = ModelConfig(context_length=16, n_layer=1, n_head=2, d_model=16, residual_dropout=0.1)
TRAINING = TrainingConfig(
    budget=Budget(30), batch_size=8, average=0.9, device="cpu", dtype="float32", threads=1,
    checkpoint_interval=10, evaluation_interval=10,
)  # fmt: skip

MakeRun = Callable[..., Run]


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """Twenty thousand characters that a person wrote: the beginning of the standard library's argparse."""
    path = tmp_path / "text.txt"
    path.write_text(Path(argparse.__file__).read_text(encoding="utf-8")[:20_000], encoding="utf-8")
    return path


@pytest.fixture
def make_run(tmp_path: Path, text: Path, monkeypatch: pytest.MonkeyPatch) -> MakeRun:
    """Makes a run of a tiny model; keywords override the training configuration."""
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path / "home"))

    def make(name: str = "tiny", **changes: object) -> Run:
        training = dataclasses.replace(TRAINING, **changes)  # type: ignore[arg-type]
        recipe = Recipe("tiny", "for tests", "tests", MODEL, training)
        return new_run(open_corpus(str(text)), recipe, name)

    return make


def read_events(run: Run) -> list[TrainingEvent]:
    """All complete events of a run; each must be one that watchers understand."""
    try:
        lines = run.metrics_path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    return [TRAINING_EVENTS.decode(line) for line in lines if line]


def wait_for(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Look at `condition` until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.01)


@pytest.fixture
def events_of() -> Callable[[Run], list[TrainingEvent]]:
    """`read_events`, for test modules, which cannot import a conftest."""
    return read_events


@pytest.fixture
def until() -> Callable[..., None]:
    """`wait_for`, for test modules."""
    return wait_for


@pytest.fixture
def polite(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test trains in the process that runs the tests leaves that process as it is."""
    monkeypatch.setattr("minigpt_tui.engine.training.machine.set_up_torch", lambda choice, threads: None)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """The models of these tests are too small for more, and a second thread waits by spinning."""
    torch.set_num_threads(1)
