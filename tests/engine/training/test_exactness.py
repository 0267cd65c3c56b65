"""The same seed gives the same run, in one go or in parts, with every option on."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from minigpt_tui.data.corpus import open_corpus
from minigpt_tui.engine.events import Acknowledged, Command, Evaluation, Sample, Started, Step
from minigpt_tui.engine.launch import new_run
from minigpt_tui.engine.runs import Run
from minigpt_tui.engine.training.checkpoints import resume_from
from minigpt_tui.engine.training.loop.commands import CommandReader
from minigpt_tui.models import devices
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.recipe import Budget, Recipe, TrainingConfig

from .preparing import at_steps, kill, prepared, stop

MODEL = ModelConfig(
    context_length=16, n_layer=2, n_head=2, d_model=16,
    attention_dropout=0.1, residual_dropout=0.2, embedding_dropout=0.1,
)  # fmt: skip
TRAINING = TrainingConfig(
    budget=Budget(60), batch_size=8, micro_batch_size=2, average=0.9, gradient_clip=1.0, weight_decay=0.1,
    warmup_steps=10, schedule="cosine", checkpoint_interval=9, evaluation_interval=16, checkpoint_history=7,
    checkpoint_history_limit=3, patience=3, minimum_steps=50, sample_interval=50,
    device="cpu", dtype="float32", threads=1,
)  # fmt: skip


@pytest.fixture(autouse=True)
def as_nice_as_before(monkeypatch):
    """The train process lowers its priority; the process of the tests does not."""
    monkeypatch.setattr(os, "nice", lambda increment: 0)


@pytest.fixture
def new(tmp_path: Path, text: Path, monkeypatch: pytest.MonkeyPatch):
    """Makes runs; keywords override the training configuration."""
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path / "home"))

    def make(name: str, **changes: object) -> Run:
        training = dataclasses.replace(TRAINING, **changes)  # type: ignore[arg-type]
        return new_run(open_corpus(str(text)), Recipe("tiny", "for tests", "tests", MODEL, training), name)

    return make


def trained(
    run: Run, acts: Mapping[int, Callable[[CommandReader], object]] | None = None, resume: bool = False
) -> None:
    """Train the run; every step is reported, so that what the events say does not depend on the clock."""
    prepared(run, resume, at_steps(acts or {}), report_interval=0.0).train()


def kept(run: Run) -> dict[str, bytes]:
    """All tensors that a run keeps; the state holds what the next update needs."""
    return {str(path.relative_to(run.path)): path.read_bytes() for path in run.checkpoints.rglob("*.safetensors")}


@pytest.mark.parametrize(
    ("optimizer", "order"), [("muon", "shuffle"), pytest.param("adamw", "random", marks=pytest.mark.long)]
)
def test_a_run_in_parts_is_the_run_in_one_go(new, optimizer, order):
    runs = []
    for name in ("whole", "parts"):
        run = new(name, optimizer=optimizer, data_order=order, learning_rate=0.01)
        acts = {
            12: lambda _, run=run: run.send(Command("budget", text="80 steps")),
            13: lambda _, run=run: run.send(Command("scale_learning_rate", 0.5)),
        }
        if name == "parts":
            trained(run, acts | {33: stop})
            trained(run, resume=True)
        else:
            trained(run, acts)
        runs.append(run)
    whole, parts = map(kept, runs)
    assert "checkpoints/last/state.safetensors" in whole
    assert len(whole) == 2 + 1 + 3
    assert parts == whole


def test_a_killed_run_ends_as_if_it_had_not_been(new, events_of):
    whole, killed = new("whole"), new("killed")
    trained(whole)
    with pytest.raises(KeyboardInterrupt):
        trained(killed, {31: kill})
    trained(killed, resume=True)
    assert [event.step for event in events_of(killed) if isinstance(event, Started)] == [0, 27]
    assert kept(killed) == kept(whole)


@pytest.fixture
def as_before():
    """What a deterministic run asks of torch holds for its process; here that is the process of all tests."""
    yield
    torch.set_deterministic_debug_mode("default")


EVERY_OPTION = {"deterministic": True, "threads": 0, "optimizer": "muon", "data_order": "shuffle"}


@pytest.mark.usefixtures("as_before")
@pytest.mark.long
def test_a_deterministic_run_leaves_nothing_to_timing(new, monkeypatch, events_of):
    monkeypatch.setattr(devices, "bfloat16_speedup", lambda: pytest.fail("the dtype was chosen by timing"))
    monkeypatch.setattr(devices, "physical_cores", lambda: 2)
    threads: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", threads.append)  # two would wait for each other here
    runs = {name: new(name, **EVERY_OPTION, dtype="auto") for name in ("whole", "stopped", "killed")}
    ends = {"stopped": {31: stop}, "killed": {31: kill}}
    for name, run in runs.items():
        acts = {20: lambda _, run=run: run.send(Command("threads", 1))} | ends.get(name, {})
        with pytest.raises(KeyboardInterrupt) if name == "killed" else nullcontext():
            trained(run, acts)
        if name in ends:
            trained(run, resume=True)
    assert kept(runs["stopped"]) == kept(runs["whole"])
    assert kept(runs["killed"]) == kept(runs["whole"])
    assert threads == 5 * [2]  # once for each process
    answers = [event.text for event in events_of(runs["whole"]) if isinstance(event, Acknowledged)]
    assert any("a deterministic run keeps its CPU threads" in text for text in answers)


SELDOM = {"checkpoint_history": 0, "checkpoint_interval": 20, "evaluation_interval": 50, "sample_interval": 1000}


@pytest.mark.long
def test_a_run_that_came_back_from_a_divergence_resumes_exactly(new):
    runs = []
    for name in ("whole", "parts"):
        run = new(name, budget=Budget(100), schedule="constant", patience=0, learning_rate=0.01, **SELDOM)
        too_high = iter([1000.0, 10.0])  # the run comes to this step once more

        def scale_up(_, run=run, too_high=too_high) -> None:
            for factor in too_high:
                run.send(Command("scale_learning_rate", factor))

        if name == "parts":
            trained(run, {55: scale_up, 85: stop})
            trained(run, resume=True)
        else:
            trained(run, {55: scale_up})
        assert recoveries(run) == 1
        runs.append(run)
    assert kept(runs[0]) == kept(runs[1])


def recoveries(run: Run) -> int:
    resumed = resume_from(run.checkpoints, print)
    return resumed.counters.recoveries if resumed else 0


def told(run: Run, events_of) -> list[object]:
    """What the run said, without what the clock decides."""
    events = events_of(run)
    said: list[object] = [(event.step, event.loss) for event in events if isinstance(event, Step)]
    said += [(event.step, event.validation_loss) for event in events if isinstance(event, Evaluation)]
    return said + [event.text for event in events if isinstance(event, Sample)]


@pytest.mark.long
def test_a_seed_decides_weights_order_dropout_and_samples(new, events_of):
    runs = {name: new(name, seed=seed) for name, seed in (("one", 5), ("again", 5), ("other", 6))}
    for run in runs.values():
        trained(run)
    one, again, other = (told(run, events_of) for run in runs.values())
    assert again == one
    assert kept(runs["again"]) == kept(runs["one"])
    assert all(mine != theirs for mine, theirs in zip(one[1:], other[1:], strict=True))
