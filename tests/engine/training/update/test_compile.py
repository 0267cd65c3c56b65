"""A loss that torch compiles is the loss itself."""

from __future__ import annotations

import dataclasses
import functools
import os

import pytest
import torch
from minigpt_tui.engine.events import Started
from minigpt_tui.engine.training.update.notes import Notes
from minigpt_tui.engine.training.update.replicated import ReplicatedLearner
from minigpt_tui.models import devices
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.recipe import TrainingConfig

from ..preparing import prepared

MODEL = ModelConfig(vocab_size=16, context_length=8, n_layer=1, n_head=2, d_model=16)
TRAINING = TrainingConfig(batch_size=4, micro_batch_size=2, compile="on")
TOKENS = torch.randint(16, (500,), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def trained(config: TrainingConfig, notes: list[str], model: ModelConfig = MODEL) -> ReplicatedLearner:
    network = GPT(model)
    network.reset_parameters(torch.Generator().manual_seed(1))
    learner = ReplicatedLearner(network, TOKENS, config, Notes(notes.append, notes.append))
    for _ in range(4):
        learner.update(1.0)
    return learner


@pytest.mark.long
def test_a_compiled_loss_learns_the_same(monkeypatch):
    backends: list[str] = []

    def without_a_compiler(graph, examples):  # what torch traced, as it is
        backends.append("called")
        return graph.forward

    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=without_a_compiler))
    notes: list[str] = []
    plain, faster = trained(dataclasses.replace(TRAINING, compile="off"), notes), trained(TRAINING, notes)
    assert backends
    assert notes[0] == "the loss is being compiled; the first update waits for it"
    assert notes[1].startswith("the loss is compiled, which took ")
    assert len(notes) == 2
    for one, other in zip(plain.model.parameters(), faster.model.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_without_a_compiler_the_training_goes_on(monkeypatch):
    def broken(graph, examples):
        raise RuntimeError("no C++ compiler was found\nand more")

    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=broken))
    notes: list[str] = []
    model = dataclasses.replace(MODEL, residual_dropout=0.2)
    plain = trained(dataclasses.replace(TRAINING, compile="off"), notes, model)
    random_state = torch.get_rng_state()
    other = trained(TRAINING, notes, model)
    assert notes[1].startswith("the loss could not be compiled (")
    assert "no C++ compiler was found" in notes[1]
    assert "\n" not in notes[1]
    assert "and more" not in notes[1]
    assert torch.equal(torch.get_rng_state(), random_state)
    assert all(torch.equal(*pair) for pair in zip(plain.model.parameters(), other.model.parameters(), strict=True))


@pytest.mark.parametrize("compile", ["on", "off"])
def test_no_number_of_threads_is_tried_where_each_would_be_compiled_for(make_run, events_of, monkeypatch, compile):
    monkeypatch.setattr(devices, "physical_cores", lambda: 4)
    monkeypatch.setattr(os, "nice", lambda increment: 0)
    threads: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    run = make_run(threads=0, compile=compile)
    prepared(run)
    (started,) = (event for event in events_of(run) if isinstance(event, Started))
    assert started.threads == 4
    assert ("as many as make it faster" in started.reason) == (compile == "off")
    assert threads == [4] + [1] * (compile == "off")  # a trial begins with one
