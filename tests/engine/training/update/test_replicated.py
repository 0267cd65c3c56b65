"""Learner goes on exactly, whatever lies between two updates."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch
from minigpt_tui.engine.training.errors import OutOfMemoryError
from minigpt_tui.engine.training.update.notes import Notes
from minigpt_tui.engine.training.update.replicated import ReplicatedLearner
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.recipe import TrainingConfig

MODEL = ModelConfig(
    vocab_size=16, context_length=8, n_layer=2, n_head=2, d_model=16, attention_dropout=0.1, residual_dropout=0.2
)
TRAINING = TrainingConfig(batch_size=6, micro_batch_size=2, average=0.9, gradient_clip=1.0, weight_decay=0.1)
TOKENS = torch.randint(16, (500,), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def make(
    model: ModelConfig = MODEL, training: TrainingConfig = TRAINING, notes: list[str] | None = None
) -> ReplicatedLearner:
    network = GPT(model)
    network.reset_parameters(torch.Generator().manual_seed(training.seed))
    return ReplicatedLearner(network, TOKENS, training, Notes(warn=(notes if notes is not None else []).append))


def weights(learner: ReplicatedLearner) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in learner.model.parameters()]


def same(first: list[torch.Tensor], second: list[torch.Tensor]) -> bool:
    return all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("order", ["shuffle", "random"])
@pytest.mark.parametrize("average", [pytest.param(0.0, marks=pytest.mark.long), 0.9])
def test_n_and_m_updates_equal_n_then_m_bit_for_bit(optimizer, order, average):
    training = dataclasses.replace(TRAINING, optimizer=optimizer, data_order=order, average=average)
    whole = make(training=training)
    for _ in range(25):  # two epochs and a bit
        whole.update(0.5)

    first = make(training=training)
    for _ in range(11):
        first.update(0.5)
    with first.averaged() as model:  # what a checkpoint keeps: the averaged weights and the state
        kept = copy.deepcopy(model.state_dict())
    state = {name: tensor.clone() for name, tensor in first.state_dict().items()}
    for _ in range(3):
        first.update(1.0)  # these are lost with the process

    torch.manual_seed(99)
    network = GPT(MODEL)
    network.load_state_dict(kept)
    second = ReplicatedLearner(network, TOKENS, training, Notes())
    second.load_state_dict(state)
    assert second.step == 11
    for _ in range(14):
        second.update(0.5)
    assert same(weights(whole), weights(second))
    assert whole.epoch_loss() == second.epoch_loss()
    with whole.averaged(), second.averaged():
        assert same(weights(whole), weights(second))


def test_micro_batches_learn_what_the_whole_batch_learns():
    still = dataclasses.replace(MODEL, attention_dropout=0.0, residual_dropout=0.0)
    losses = []
    results = []
    for micro_batch in (0, 3, 1):
        learner = make(still, dataclasses.replace(TRAINING, micro_batch_size=micro_batch))
        for _ in range(3):
            learner.update(1.0)
        losses.append(learner.take_loss())
        results.append(weights(learner))
    assert losses[1:] == pytest.approx(losses[:1] * 2, rel=1e-5)
    for other in results[1:]:
        for one, two in zip(results[0], other, strict=True):
            torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-4)


def test_the_loss_is_the_mean_since_the_last_look():
    learner = make()
    losses = []
    for _ in range(3):
        learner.update(1.0)
        losses.append(learner.take_loss())
    again = make()
    for _ in range(3):
        again.update(1.0)
    assert again.take_loss() == pytest.approx(sum(losses) / 3)
    assert learner.take_loss() == 0.0


def test_the_average_is_in_place_only_within_its_context():
    learner = make()
    for _ in range(5):
        learner.update(1.0)
    own = weights(learner)
    with learner.averaged():
        averaged = weights(learner)
    assert not same(own, averaged)
    assert same(own, weights(learner))


def test_the_average_follows_its_definition():
    learner = make(training=dataclasses.replace(TRAINING, average=0.5))
    expected = weights(learner)
    for step in range(1, 6):
        learner.update(1.0)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = [decay * old + (1 - decay) * new for old, new in zip(expected, weights(learner), strict=True)]
    with learner.averaged():
        for one, other in zip(expected, weights(learner), strict=True):
            torch.testing.assert_close(one, other)


def test_when_memory_runs_out_the_micro_batch_is_halved_and_the_batch_kept(monkeypatch):
    notes: list[str] = []
    still = dataclasses.replace(MODEL, attention_dropout=0.0, residual_dropout=0.0)
    config = dataclasses.replace(TRAINING, micro_batch_size=0)
    learner = make(still, config, notes)
    original = learner.model.loss
    seen = []

    def loss(tokens, targets, reduction="mean"):
        if len(tokens) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        seen.append(len(tokens))
        return original(tokens, targets, reduction)

    monkeypatch.setattr(learner.model, "loss", loss)
    learner.update(1.0)
    assert seen == [2, 2, 2]  # 6, then 3, then 2 at a time
    assert len(notes) == 2
    reference = make(still, config)
    reference.update(1.0)
    for one, other in zip(weights(learner), weights(reference), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)
    learner.update(1.0)
    assert seen == [2] * 6


def test_when_one_sequence_does_not_fit_it_says_what_to_change(monkeypatch):
    learner = make()

    def loss(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(learner.model, "loss", loss)
    with pytest.raises(OutOfMemoryError, match="smaller model or a shorter context"):
        learner.update(1.0)


def test_an_epoch_ends_with_the_update_that_takes_its_last_window():
    learner, ends = make(), []
    assert learner.epoch_loss() is None
    while learner.steps_until(4):
        before = learner.steps_until(4)
        learner.update(1.0)
        assert before - learner.steps_until(4) in (0, 1, 2)  # a guess, which an epoch of one window less corrects
        if learner.completed_epoch:
            ends.append(learner.step)
    assert len(ends) == 4
    assert ends[-1] == learner.step
    assert ends[-1] in (41, 42)  # 500 tokens have 61 or 62 windows of 8, and 6 of them are a batch
    assert learner.steps_until(3.5) == 0


def test_weights_alone_go_on_at_their_step():
    learner = make()
    learner.skip_to(7)
    assert learner.step == 7
    learner.update(1.0)
    assert learner.step == 8
    assert learner.is_finite()


def test_a_state_of_another_recipe_is_refused():
    state = make(training=dataclasses.replace(TRAINING, optimizer="adamw")).state_dict()
    with pytest.raises(ValueError, match="does not fit"):
        make().load_state_dict(state)


def test_it_learns():
    tokens = torch.arange(500, dtype=torch.uint8) % 16
    network = GPT(MODEL)
    network.reset_parameters(torch.Generator().manual_seed(0))
    learner = ReplicatedLearner(network, tokens, dataclasses.replace(TRAINING, average=0.0), Notes())
    learner.update(1.0)
    first = learner.take_loss()
    for _ in range(60):
        learner.update(1.0)
    learner.take_loss()
    learner.update(0.0)
    assert learner.take_loss() < 0.3 * first
