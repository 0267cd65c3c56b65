"""What no computer has room for is refused before anything is computed, and a large batch is computed in parts."""

from __future__ import annotations

import dataclasses
import os

import pytest
import torch
from minigpt_tui.engine.training.errors import TrainingError
from minigpt_tui.engine.training.update.memory import check_memory, micro_batch_within_memory
from minigpt_tui.engine.training.update.notes import Notes
from minigpt_tui.engine.training.update.replicated import ReplicatedLearner
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.presets import preset

CPU = torch.device("cpu")
MODEL = dataclasses.replace(preset("thorough").model, vocab_size=65)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"batch_size": 10**11}, r"a batch of 100,000,000,000 windows takes .* give a smaller --batch-size"),
        ({"evaluation": "random", "evaluation_batches": 10**12}, r"a random evaluation .* --evaluation-batches"),
    ],
)
def test_more_windows_than_the_memory_can_name_are_refused(make_run, changes: dict[str, object], says: str) -> None:
    manifest = make_run().manifest()
    check_memory(manifest, CPU, None)
    training = dataclasses.replace(manifest.training, **changes)  # type: ignore[arg-type]
    with pytest.raises(TrainingError, match=says):
        check_memory(dataclasses.replace(manifest, training=training), CPU, None)


def set_memory(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Let the system tell that there are so many bytes of memory."""
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 1, "SC_PHYS_PAGES": size}.__getitem__, raising=False)


def fitting(batch_size: int, dtype: torch.dtype = torch.bfloat16, device: torch.device = CPU) -> int:
    training = preset("thorough").overridden(batch_size=batch_size).training
    return micro_batch_within_memory(MODEL, training, dtype, device, None)


def test_a_batch_is_halved_until_the_memory_has_room_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    set_memory(monkeypatch, 1 << 30)
    assert fitting(16) == 16  # its update takes some 400 MB
    parts = [fitting(n) for n in (1, 100, 1000, 10**9)]
    assert parts[0] == 1
    assert all(8 <= part <= 64 for part in parts[1:])
    assert fitting(100, torch.float32) < parts[1]
    assert fitting(10**6, device=torch.device("cuda")) == 10**6
    monkeypatch.delattr(os, "sysconf")  # a system that does not tell
    assert fitting(10**6) == 10**6


def test_a_learner_of_parts_learns_from_the_whole_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    config = dataclasses.replace(preset("quick").training, batch_size=6, average=0.0, optimizer="adamw")
    model = dataclasses.replace(preset("quick").model, vocab_size=65)
    tokens = torch.randint(65, (4000,), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    notes: list[str] = []
    weights = []
    for memory in (1 << 30, 1 << 24):
        set_memory(monkeypatch, memory)
        torch.manual_seed(0)
        learner = ReplicatedLearner(GPT(model), tokens, config, Notes(warn=notes.append))
        learner.update(1.0)
        weights.append([parameter.detach().clone() for parameter in learner.model.parameters()])
    for whole, parts in zip(*weights, strict=True):
        torch.testing.assert_close(parts, whole, atol=1e-4, rtol=1e-3)
    assert notes == ["the memory has room for 3 sequences at a time; the batch stays whole"]
