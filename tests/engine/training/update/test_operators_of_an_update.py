"""What may not occur within an update on a GPU: it would wait for the device, or not be the same in a graph."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch
from minigpt_tui.engine.training.update import in_flight, learner
from minigpt_tui.engine.training.update.notes import Notes
from minigpt_tui.engine.training.update.replicated import ReplicatedLearner
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.fast.cuda_graph import Work
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.recipe import TrainingConfig

from ...device_steps import DEVICE, Operators

MODERN = ModelConfig(vocab_size=50, context_length=16, n_layer=2, n_head=4, n_kv_head=2, d_model=32)
CLASSIC = replace(MODERN, position="learned", norm="layer", mlp="gelu_tanh", qk_norm=False, tied=True, bias=True)
DROPPING = {"attention_dropout": 0.1, "residual_dropout": 0.2, "embedding_dropout": 0.1}
MODELS = {
    "modern": replace(MODERN, **DROPPING),
    "classic": replace(CLASSIC, **DROPPING),
    "relu2": replace(MODERN, mlp="relu2", rope_scaling="linear", rope_factor=2.0),
    "post-norm": replace(CLASSIC, position="sinusoidal", norm_position="post", mlp="relu"),
}
CONFIG = TrainingConfig(batch_size=6, micro_batch_size=2, average=0.9, gradient_clip=0.1, weight_decay=0.1)


class Stream:
    """Batches without values; where they begin is drawn on the CPU, before an update."""

    epoch, windows_per_epoch = 0.0, 1000

    def __init__(self, *_: object, **__: object) -> None: ...

    def next_batch(self, rows: slice) -> tuple[torch.Tensor, torch.Tensor]:
        inputs, targets = torch.zeros(2, 6, 16, dtype=torch.int64, device=DEVICE)
        return inputs, targets


class Recorder:
    """In the place of what captures a graph."""

    name = "a record"

    def __init__(self) -> None:
        self.updates: list[Operators] = []

    def warm_up(self, work: Work) -> None:
        with Operators() as operators:
            work()
        self.updates.append(operators)

    def capture(self, work: Work) -> Work:
        return lambda: self.warm_up(work)


@pytest.fixture
def without_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learner, "BatchStream", Stream)
    monkeypatch.setattr(in_flight.UpdatesInFlight, "launched", lambda self: None)
    monkeypatch.setattr(GPT, "reset_parameters", lambda self, generator: None)


@pytest.mark.usefixtures("without_data")
@pytest.mark.parametrize(
    ("model", "optimizer"),
    [
        ("modern", "muon"),
        ("classic", "adamw"),
        *(
            pytest.param(model, optimizer, marks=pytest.mark.long)
            for model, optimizer in itertools.product(MODELS, ("adamw", "muon"))
            if (model, optimizer) not in (("modern", "muon"), ("classic", "adamw"))
        ),
    ],
)
def test_every_update_is_the_same_work_on_the_device_alone(model: str, optimizer: str) -> None:
    network = GPT(MODELS[model], DEVICE, torch.bfloat16).to(DEVICE)  # with its tables
    recorder, config = Recorder(), replace(CONFIG, optimizer=optimizer)
    tokens = torch.zeros(500, dtype=torch.uint8, device=DEVICE)
    it = ReplicatedLearner(network, tokens, config, Notes(), capture=recorder)
    for factor in (0.1, 1.0, 0.7):
        it.update(factor)
    first, *others = recorder.updates
    assert len(others) == 2
    assert len(first.calls) > 300
    assert [update.on_cpu for update in recorder.updates] == [[]] * 3
    for other in others:
        assert other.calls == first.calls


@pytest.mark.usefixtures("without_data")
def test_an_update_that_reads_from_the_device_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    network = GPT(CLASSIC, DEVICE, torch.bfloat16).to(DEVICE)
    it = ReplicatedLearner(network, torch.zeros(500, dtype=torch.uint8, device=DEVICE), CONFIG, Notes())
    loss = network.loss
    monkeypatch.setattr(network, "loss", lambda *given: loss(*given) * loss(*given).item())
    with pytest.raises(RuntimeError, match="meta"):
        it.update(1.0)
