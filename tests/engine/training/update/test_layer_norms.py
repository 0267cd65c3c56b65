"""The norms of the layers after an evaluation."""

from __future__ import annotations

import pytest
import torch
from minigpt_tui.engine.events import Evaluation, LayerNorms
from minigpt_tui.engine.training.update import memory
from minigpt_tui.models.recipe import Budget

from ..loop.test_trainer import build, kinds


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_they_are_those_of_one_update(make_run, text, optimizer: str):
    _, learner, _ = build(make_run(optimizer=optimizer), text)
    for _ in range(3):
        learner.update(1.0)
    before = {name: parameter.detach().clone() for name, parameter in learner.model.named_parameters()}
    measurement = learner.measure_next_update()
    assert measurement is not None
    learner.update(1.0)
    weights, updates = measurement.measure()
    assert (
        set(weights)
        == set(updates)
        == {"embedding", "block 0", "norm"} | ({"head"} if learner.model.head is not None else set())
    )
    after = dict(learner.model.named_parameters())
    for layer in weights:
        prefix = {"embedding": ("embedding", "positions"), "block 0": ("blocks.0.",)}.get(layer, (layer,))
        names = [name for name in before if name.startswith(prefix)]
        whole = torch.cat([before[name].flatten() for name in names])
        moved = torch.cat([(after[name].detach() - before[name]).flatten() for name in names])
        assert weights[layer] == pytest.approx(whole.norm().item(), rel=1e-5)
        assert updates[layer] == pytest.approx((moved.norm() / whole.norm()).item(), rel=1e-4)


def test_each_evaluation_is_followed_by_those_of_the_next_update(make_run, text, events_of):
    run = make_run(budget=Budget(25))
    it, _, _ = build(run, text)
    it.train()
    assert [event.step for event in kinds(events_of(run), Evaluation)] == [10, 20, 25]
    assert [event.step for event in kinds(events_of(run), LayerNorms)] == [11, 21]


def test_without_room_for_a_copy_nothing_is_said(make_run, text, events_of, monkeypatch):
    monkeypatch.setattr(memory, "memory_of", lambda device, group: 1000)
    run = make_run()
    it, _, _ = build(run, text)
    it.train()
    assert kinds(events_of(run), LayerNorms) == []
