"""Reading a checkpoint while the train process may be exchanging it."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest
import torch
from minigpt_tui.engine.generation import checkpoint_source
from minigpt_tui.engine.generation.checkpoint_source import CheckpointSource
from minigpt_tui.engine.training.checkpoints import exchange
from minigpt_tui.models.devices import choose_device
from minigpt_tui.models.huggingface import CheckpointError, LoadedCheckpoint, load_checkpoint

CPU = choose_device("cpu", training=False)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    (tmp_path / "run" / "run.json").write_text("{}")
    return tmp_path / "run"


@pytest.fixture
def made(chain, save, tmp_path: Path) -> list[Path]:
    """Two checkpoints: step 1 knows the alphabet forwards, step 2 backwards."""
    return [save(tmp_path / f"made-{step}", chain(cycle), step) for step, cycle in ((1, "abcdefgh"), (2, "hgfedcba"))]


def put(run: Path, checkpoint: Path) -> None:
    def fill(folder: Path) -> None:
        shutil.copytree(checkpoint, folder, dirs_exist_ok=True)

    exchange(run / "checkpoints", "last", fill)


def follows_a(checkpoint: LoadedCheckpoint) -> int:
    """The token that the weights continue "a" with: 1 forwards, 7 backwards."""
    with torch.no_grad():
        return int(checkpoint.model(torch.tensor([[0]]))[0, -1].argmax())


def test_the_signature_changes_with_each_exchange(run: Path, made: list[Path]) -> None:
    source = CheckpointSource(run)
    assert source.signature() is None
    put(run, made[0])
    first = source.signature()
    assert first is not None
    assert source.signature() == first == source.open(CPU).signature
    put(run, made[0])
    assert source.signature() not in (None, first)


def test_what_is_read_while_checkpoints_are_exchanged_belongs_together(run: Path, made: list[Path]) -> None:
    put(run, made[0])
    stop, source, steps = threading.Event(), CheckpointSource(run), set()

    def train() -> None:
        number = 0
        while not stop.wait(0.005):
            number += 1
            put(run, made[number % 2])

    trainer = threading.Thread(target=train)
    trainer.start()
    try:
        for _ in range(60):
            checkpoint = source.open(CPU).checkpoint
            assert follows_a(checkpoint) == {1: 1, 2: 7}[checkpoint.step]
            steps.add(checkpoint.step)
    finally:
        stop.set()
        trainer.join()
    assert steps == {1, 2}


def test_a_checkpoint_that_vanished_while_it_was_read_is_read_again(
    run: Path, made: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(run, made[0])
    loads: list[Path] = []

    def load(folder: Path, *rest: object, **options: object) -> LoadedCheckpoint:
        loads.append(folder)
        if len(loads) == 1:
            put(run, made[1])
            raise CheckpointError("half of it was gone")
        return load_checkpoint(folder)

    monkeypatch.setattr(checkpoint_source, "load_checkpoint", load)
    assert CheckpointSource(run).open(CPU).checkpoint.step == 2
    assert len(loads) == 2


def test_a_checkpoint_replaced_behind_the_reader_is_read_again(
    run: Path, made: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(run, made[0])
    loads: list[Path] = []

    def load(folder: Path, *rest: object, **options: object) -> LoadedCheckpoint:
        loads.append(folder)
        loaded = load_checkpoint(folder)
        if len(loads) == 1:
            put(run, made[1])
        return loaded

    monkeypatch.setattr(checkpoint_source, "load_checkpoint", load)
    assert CheckpointSource(run).open(CPU).checkpoint.step == 2
    assert len(loads) == 2


def test_a_checkpoint_that_is_damaged_for_good_is_not_waited_for(
    run: Path, made: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(run, made[0])
    loads: list[Path] = []

    def load(folder: Path, *rest: object, **options: object) -> LoadedCheckpoint:
        loads.append(folder)
        raise CheckpointError("it is damaged")

    monkeypatch.setattr(checkpoint_source, "load_checkpoint", load)
    with pytest.raises(CheckpointError, match="it is damaged"):
        CheckpointSource(run).open(CPU)
    assert len(loads) == 1


def test_a_path_that_is_nothing_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nothing holds no checkpoint \(minigpt\.json is missing\)"):
        CheckpointSource(tmp_path / "nothing").open(CPU)
