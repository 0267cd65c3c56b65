"""The same seed gives the same run, in one go or in parts, with every option on."""

from __future__ import annotations

import dataclasses
import os
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import pytest
import torch
from minigpt_tui.data.corpus import open_corpus
from minigpt_tui.engine.events import Command, Evaluation, Note, Sample, Step
from minigpt_tui.engine.launch import new_run
from minigpt_tui.engine.runs import Run
from minigpt_tui.engine.training.loop import trainer
from minigpt_tui.engine.training.loop.commands import CommandReader, size_of_commands
from minigpt_tui.engine.training.loop.event_log import Journal
from minigpt_tui.engine.training.loop.stop_request import StopRequest
from minigpt_tui.engine.training.loop.trainer import Trainer
from minigpt_tui.engine.training.setup import prepare
from minigpt_tui.models import devices
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.recipe import Budget, Recipe, TrainingConfig

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
def every_step_is_reported(monkeypatch):
    """What the events say then does not depend on the clock; and this is no process that steps back for a screen."""
    monkeypatch.setattr(trainer, "REPORT_INTERVAL", 0.0)
    monkeypatch.setattr(os, "nice", lambda increment: 0)


@pytest.fixture
def new(tmp_path: Path, text: Path, monkeypatch: pytest.MonkeyPatch):
    """Makes runs; keywords override the training configuration."""
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path / "home"))

    def make(name: str, **changes: object) -> Run:
        training = dataclasses.replace(TRAINING, **changes)  # type: ignore[arg-type]
        return new_run(open_corpus(str(text)), Recipe("tiny", "for tests", "tests", MODEL, training), name)

    return make


def prepared(run: Run, resume: bool = False) -> tuple[Trainer, StopRequest]:
    stop = StopRequest()
    commands = CommandReader(run, size_of_commands(run) if resume else 0)
    journal = Journal(run)
    return prepare(run, resume=resume, leave_core=False, journal=journal, commands=commands, stop=stop), stop


def at_step(it: Trainer, step: int, act) -> None:
    """Let `act` happen after the update that makes `step`."""
    keep = it._keep

    def then_act() -> None:
        if it._learner.step == step:
            act()
        keep()

    it._keep = then_act


def kept(run: Run) -> dict[str, bytes]:
    """All tensors that a run keeps; the state holds what the next update needs."""
    return {str(path.relative_to(run.path)): path.read_bytes() for path in run.checkpoints.rglob("*.safetensors")}


@pytest.mark.parametrize(("optimizer", "order"), [("muon", "shuffle"), ("adamw", "random")])
def test_a_run_in_parts_is_the_run_in_one_go(new, optimizer, order):
    runs = []
    for name in ("whole", "parts"):
        run = new(name, optimizer=optimizer, data_order=order, learning_rate=0.01)
        it, stop = prepared(run)
        at_step(it, 12, lambda run=run: run.send(Command("budget", text="80 steps")))
        at_step(it, 13, lambda run=run: run.send(Command("scale_learning_rate", 0.5)))
        if name == "parts":
            at_step(it, 33, lambda stop=stop: setattr(stop, "requested", True))
            it.train()
            it, _ = prepared(run, resume=True)
        it.train()
        runs.append(run)
    whole, parts = map(kept, runs)
    assert "checkpoints/last/state.safetensors" in whole
    assert len(whole) == 2 + 1 + 3
    assert parts == whole


def test_a_killed_run_ends_as_if_it_had_not_been(new):
    runs = []
    for name in ("whole", "killed"):
        run = new(name)
        it, _ = prepared(run)
        if name == "killed":

            def kill() -> None:
                raise KeyboardInterrupt

            at_step(it, 31, kill)
            with pytest.raises(KeyboardInterrupt):
                it.train()
            it, _ = prepared(run, resume=True)
            assert it._learner.step == 27
        it.train()
        runs.append(run)
    assert kept(runs[0]) == kept(runs[1])


@pytest.fixture
def as_before():
    """What a deterministic run asks of torch holds for its process; here that is the process of all tests."""
    yield
    torch.set_deterministic_debug_mode("default")


EVERY_OPTION = {"deterministic": True, "threads": 0, "optimizer": "muon", "data_order": "shuffle"}


@pytest.mark.usefixtures("as_before")
@pytest.mark.parametrize("end", ["a stop", "a kill"])
def test_a_deterministic_run_leaves_nothing_to_timing(new, monkeypatch, events_of, end):
    monkeypatch.setattr(devices, "bfloat16_gain", lambda: pytest.fail("the dtype was chosen by timing"))
    monkeypatch.setattr(devices, "physical_cores", lambda: 2)
    runs, threads = [], []
    monkeypatch.setattr(torch, "set_num_threads", threads.append)  # two would wait for each other here
    for name in ("whole", "parts"):
        run = new(name, **EVERY_OPTION, dtype="auto")
        it, stop = prepared(run)
        at_step(it, 20, lambda run=run: run.send(Command("threads", 1)))
        if name == "parts":

            def kill() -> None:
                raise KeyboardInterrupt

            stopping = partial(setattr, stop, "requested", True)
            at_step(it, 31, kill if end == "a kill" else stopping)
            with pytest.raises(KeyboardInterrupt) if end == "a kill" else nullcontext():
                it.train()
            it, _ = prepared(run, resume=True)
        it.train()
        runs.append(run)
    assert kept(runs[0]) == kept(runs[1])
    assert threads == [2, 2, 2]  # once for each process
    notes = [event.text for event in events_of(runs[0]) if isinstance(event, Note)]
    assert any("a deterministic run keeps its CPU threads" in text for text in notes)


SELDOM = {"checkpoint_history": 0, "checkpoint_interval": 50, "evaluation_interval": 100, "sample_interval": 1000}


def test_a_run_that_came_back_from_a_divergence_resumes_exactly(new):
    runs = []
    for name in ("whole", "parts"):
        run = new(name, budget=Budget(240), schedule="constant", patience=0, learning_rate=0.01, **SELDOM)
        it, stop = prepared(run)
        at_step(it, 155, lambda it=it: setattr(it.course, "learning_rate_scale", 0.5 if it._recovery.tried else 1e4))
        if name == "parts":
            at_step(it, 200, lambda it=it, stop=stop: setattr(stop, "requested", bool(it._recovery.tried)))
            it.train()
            assert it._recovery.tried == 1
            it, _ = prepared(run, resume=True)
        it.train()
        assert it._recovery.tried == 1
        runs.append(run)
    assert kept(runs[0]) == kept(runs[1])


def told(run: Run, events_of) -> list[object]:
    """What the run said, without what the clock decides."""
    events = events_of(run)
    said: list[object] = [(event.step, event.loss) for event in events if isinstance(event, Step)]
    said += [(event.step, event.validation_loss) for event in events if isinstance(event, Evaluation)]
    return said + [event.text for event in events if isinstance(event, Sample)]


def test_a_seed_decides_weights_order_dropout_and_samples(new, events_of):
    runs = {name: new(name, seed=seed) for name, seed in (("one", 5), ("again", 5), ("other", 6))}
    for run in runs.values():
        prepared(run)[0].train()
    one, again, other = (told(run, events_of) for run in runs.values())
    assert again == one
    assert kept(runs["again"]) == kept(runs["one"])
    assert all(mine != theirs for mine, theirs in zip(one[1:], other[1:], strict=True))
