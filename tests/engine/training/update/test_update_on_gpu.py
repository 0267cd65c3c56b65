"""What only a GPU can show of updates that are captured as a CUDA graph."""

from __future__ import annotations

import dataclasses
import gc
import os

import pytest
import torch
from minigpt_tui.engine.training.machine import repeat_exactly
from minigpt_tui.engine.training.update.cuda_graph import WARM_UP, update_capture
from minigpt_tui.engine.training.update.notes import Notes
from minigpt_tui.engine.training.update.replicated import ReplicatedLearner
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.fast.cuda_graph import CudaGraphCapture
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.recipe import TrainingConfig

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device on this machine")

MODEL = ModelConfig(vocab_size=64, context_length=64, n_layer=2, n_head=4, d_model=128, tied=True, norm="layer")
DROPPING = dataclasses.replace(MODEL, attention_dropout=0.1, residual_dropout=0.1, embedding_dropout=0.1)
EVERYTHING = TrainingConfig(
    batch_size=64, micro_batch_size=16, average=0.9, gradient_clip=0.5, weight_decay=0.1, learning_rate=0.01
)
TOKENS = torch.randint(64, (50_000,), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
UPDATES = 12


@pytest.fixture
def exact(monkeypatch):
    """Only kernels that repeat their results."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", os.environ.get("CUBLAS_WORKSPACE_CONFIG", ":4096:8"))
    repeat_exactly()
    yield
    torch.set_deterministic_debug_mode("default")


def make(
    config: TrainingConfig, notes: list[str], model: ModelConfig = MODEL, tokens: torch.Tensor = TOKENS
) -> ReplicatedLearner:
    device = torch.device("cuda:0")
    network = GPT(model, device, torch.bfloat16)
    network.reset_parameters(torch.Generator().manual_seed(1))
    capture = update_capture(device, config, None)
    return ReplicatedLearner(network, tokens.to(device), config, Notes(notes.append, notes.append), capture=capture)


def losses(learner: ReplicatedLearner, updates: int = UPDATES, factor: float = 1.0) -> list[float]:
    found = []
    for i in range(updates):
        learner.update(factor * (i + 1) / updates)
        found.append(learner.take_loss())
    return found


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_graph_learns_what_its_operators_learn_one_by_one(optimizer):
    notes: list[str] = []
    config = dataclasses.replace(EVERYTHING, optimizer=optimizer)
    replayed, plain = make(config, notes), make(dataclasses.replace(config, cuda_graph="off"), notes)
    one, other = losses(replayed), losses(plain)
    assert notes == ["each update is now one CUDA graph"]
    assert one == pytest.approx(other, rel=0.01)
    assert replayed.gradient_norm() == pytest.approx(plain.gradient_norm(), rel=0.1)


def test_each_replay_drops_other_units():
    notes: list[str] = []
    found = losses(make(EVERYTHING, notes, DROPPING, torch.zeros_like(TOKENS)), factor=0.0)  # one batch, one model
    assert notes == ["each update is now one CUDA graph"]
    assert len(set(found[WARM_UP:])) == UPDATES - WARM_UP


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_in_parts_it_is_the_same_bit_for_bit(exact, optimizer):
    config = dataclasses.replace(EVERYTHING, optimizer=optimizer, deterministic=True)
    whole = make(config, [], DROPPING)
    for _ in range(UPDATES):
        whole.update(1.0)
    first = make(config, [], DROPPING)
    for _ in range(UPDATES - 5):
        first.update(1.0)
    with first.averaged() as model:
        kept = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = {name: tensor.clone() for name, tensor in first.state_dict().items()}
    second = make(config, [], DROPPING)
    with torch.no_grad():
        second.model.load_state_dict(kept)
    second.load_state_dict(state)
    for _ in range(5):
        second.update(1.0)
    ends = [learner.state_dict() for learner in (whole, second)]
    assert [name for name in ends[0] if not torch.equal(ends[0][name], ends[1][name])] == []


def test_an_update_that_waits_for_the_gpu_is_not_captured_and_goes_on(monkeypatch):
    notes: list[str] = []
    learner = make(EVERYTHING, notes, DROPPING)
    loss = learner.model.loss

    def waiting(*arguments):
        found = loss(*arguments)
        assert found.item() > 0
        return found

    monkeypatch.setattr(learner.model, "loss", waiting)
    outside = torch.cuda.current_stream()
    assert all(0 < one < 10 for one in losses(learner))
    assert len(notes) == 1
    assert notes[0].startswith("the updates go on operator by operator: one CUDA graph could not be captured (")
    assert torch.cuda.current_stream() == outside


def test_a_capture_that_breaks_off_gives_its_memory_back():
    capture = CudaGraphCapture(torch.device("cuda:0"))
    wide = torch.ones(1 << 26, device="cuda:0")  # a quarter of a gigabyte

    def waits() -> None:
        assert (wide * 2).sum().item() > 0

    gc.collect()
    torch.cuda.empty_cache()
    before = torch.cuda.memory_reserved()
    for _ in range(3):
        with pytest.raises(Exception, match="captur"):
            capture.capture(waits)
        gc.collect()
        torch.cuda.empty_cache()
        assert torch.cuda.memory_reserved() - before < 1 << 26
    total = torch.zeros((), device="cuda:0")

    def sums_up() -> None:
        total.copy_((wide * 2).sum())

    capture.capture(sums_up)()
    assert total.item() == 2 * len(wide)


@pytest.fixture
def little_memory():
    """A gigabyte and a half beyond what is held now."""
    gc.collect()
    torch.cuda.empty_cache()
    whole = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 1.5e9) / whole)
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)
    gc.collect()
    torch.cuda.empty_cache()


def test_where_the_memory_ends_a_smaller_micro_batch_is_captured(little_memory):
    notes: list[str] = []
    model = dataclasses.replace(MODEL, vocab_size=20_000)
    config = dataclasses.replace(EVERYTHING, micro_batch_size=32, batch_size=256)
    learner = make(dataclasses.replace(config, micro_batch_size=256), notes, model)
    found = losses(learner)
    assert notes[0].startswith("the memory ran out; going on with 128 sequences at a time")
    assert notes[-1] == "each update is now one CUDA graph"
    assert 32 <= learner.state_dict()["micro_batch"] <= 128
    del learner
    assert found == pytest.approx(losses(make(config, [], model)), rel=0.01)


def test_an_evaluation_without_room_gets_that_of_the_graph(little_memory):
    notes: list[str] = []
    learner = make(EVERYTHING, notes)
    losses(learner)
    rooms = []

    def fills(model: GPT) -> float:
        rooms.append(torch.cuda.memory_reserved())
        if len(rooms) == 1:
            torch.empty(4_000_000_000, dtype=torch.uint8, device="cuda:0")
        tokens = torch.zeros(8, 64, dtype=torch.long, device="cuda:0")
        return model.loss(tokens, tokens).item()

    assert learner.with_averaged_model(fills) > 0
    assert rooms[1] < rooms[0]
    assert all(0 < one < 10 for one in losses(learner))
    assert notes == ["each update is now one CUDA graph"] * 2


def test_a_vocabulary_of_any_size_has_the_loss_and_the_gradient_of_its_own_rows():
    network = GPT(dataclasses.replace(MODEL, vocab_size=50_257), torch.device("cuda:0"), torch.bfloat16)
    inputs, targets = torch.randint(50_257, (2, 8, 64), device="cuda:0")
    network.loss(inputs, targets).backward()
    assert network.embedding.grad is not None
    found, network.embedding.grad = network.embedding.grad.clone(), None
    expected = torch.nn.functional.cross_entropy(network(inputs).flatten(0, 1), targets.flatten())
    assert network.loss(inputs, targets).item() == pytest.approx(expected.item(), rel=1e-3)
    expected.backward()
    torch.testing.assert_close(found, network.embedding.grad, rtol=0.05, atol=1e-4)


def test_a_compiled_loss_can_be_captured_too():
    notes: list[str] = []
    config = dataclasses.replace(EVERYTHING, compile="on")
    compiled, plain = losses(make(config, notes)), losses(make(EVERYTHING, []))
    assert notes[1].startswith("the loss is compiled")
    assert notes[2] == "each update is now one CUDA graph"
    assert compiled == pytest.approx(plain, rel=0.01)
