"""Reading a checkpoint while the train process may be exchanging it."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from minigpt_tui.data.storage.errors import UserError
from minigpt_tui.engine.generation import loaded_model
from minigpt_tui.engine.generation.loaded_model import CheckpointSource, LoadedModel
from minigpt_tui.engine.requests import Load, Loaded
from minigpt_tui.engine.training.checkpoints import exchange
from minigpt_tui.models.devices import choose_device
from minigpt_tui.models.interop import own_folder
from minigpt_tui.models.interop.huggingface import LoadedCheckpoint, load_checkpoint
from minigpt_tui.models.interop.weights_digest import stored_digest

MakeNanoGpt = Callable[..., Path]
MakeHuggingFace = Callable[..., Path]

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

    (run / "checkpoints").mkdir(exist_ok=True)
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
    assert source.signature() == first == source.read(CPU).signature
    put(run, made[0])
    assert source.signature() not in (None, first)


def test_what_is_read_while_checkpoints_are_exchanged_belongs_together(run: Path, made: list[Path]) -> None:
    put(run, made[0])
    source, steps, number = CheckpointSource(run), set(), 0

    def train() -> None:
        nonlocal number
        for _ in range(3):  # they may all fall into one opening, which has more attempts than they can spoil
            number += 1
            put(run, made[number % 2])

    for _ in range(40):
        trainer = threading.Thread(target=train)
        trainer.start()
        try:
            checkpoint = source.read(CPU).checkpoint
        finally:
            trainer.join()
        assert follows_a(checkpoint) == {1: 1, 2: 7}[checkpoint.step]
        steps.add(checkpoint.step)
    assert steps == {1, 2}


def test_a_checkpoint_that_never_stands_still_is_given_up(
    run: Path, made: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(run, made[0])
    loads: list[Path] = []

    def load(folder: Path, *rest: object, **options: object) -> LoadedCheckpoint:
        loads.append(folder)
        loaded = load_checkpoint(folder)
        put(run, made[len(loads) % 2])
        return loaded

    monkeypatch.setattr(loaded_model, "load_checkpoint", load)
    with pytest.raises(UserError, match="replaced again and again while it was read"):
        CheckpointSource(run).read(CPU)
    assert len(loads) == 20


def test_a_checkpoint_whose_predecessor_was_renamed_under_the_reader_is_read_there(
    run: Path, made: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first half of an exchange: the same files, so the same signature, at another place."""
    put(run, made[0])
    last, loads = run / "checkpoints" / "last", list[Path]()

    def load(folder: Path, *rest: object, **options: object) -> LoadedCheckpoint:
        loads.append(folder)
        if len(loads) == 1:
            last.rename(last.with_name(".last.old"))
        return load_checkpoint(folder)

    monkeypatch.setattr(loaded_model, "load_checkpoint", load)
    assert CheckpointSource(run).read(CPU).checkpoint.step == 1
    assert loads == [last, last.with_name(".last.old")]


def test_a_checkpoint_that_vanished_while_it_was_read_is_read_again(
    run: Path, made: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(run, made[0])
    loads: list[Path] = []

    def load(folder: Path, *rest: object, **options: object) -> LoadedCheckpoint:
        loads.append(folder)
        if len(loads) == 1:
            put(run, made[1])
            raise UserError("half of it was gone")
        return load_checkpoint(folder)

    monkeypatch.setattr(loaded_model, "load_checkpoint", load)
    assert CheckpointSource(run).read(CPU).checkpoint.step == 2
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

    monkeypatch.setattr(loaded_model, "load_checkpoint", load)
    assert CheckpointSource(run).read(CPU).checkpoint.step == 2
    assert len(loads) == 2


def test_a_checkpoint_that_is_damaged_for_good_is_not_waited_for(
    run: Path, made: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(run, made[0])
    loads: list[Path] = []

    def load(folder: Path, *rest: object, **options: object) -> LoadedCheckpoint:
        loads.append(folder)
        raise UserError("it is damaged")

    monkeypatch.setattr(loaded_model, "load_checkpoint", load)
    with pytest.raises(UserError, match="it is damaged"):
        CheckpointSource(run).read(CPU)
    assert len(loads) == 1


def test_a_run_without_a_checkpoint_says_when_there_will_be_one(run: Path) -> None:
    with pytest.raises(UserError, match="'run' has no checkpoint yet; it writes its first"):
        CheckpointSource(run).read(CPU)


def test_a_foreign_model_is_opened_and_never_changes(
    run: Path, nanogpt: MakeNanoGpt, huggingface: MakeHuggingFace, tmp_path: Path
) -> None:
    for path in (nanogpt(tmp_path / "out" / "ckpt.pt"), tmp_path / "out", huggingface(tmp_path / "folder")):
        source = CheckpointSource(path)
        opened = source.read(CPU)
        assert (opened.signature, source.signature(), source.is_training()) == (None, None, False)
        assert opened.checkpoint.config.vocab_size == opened.tokenizer.vocab_size
    assert [opened.file.kind, opened.file.path] == ["huggingface", tmp_path / "folder"]


def test_a_path_that_is_no_model_is_refused_by_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "novel.txt").write_text("Once")
    for path, says in ((tmp_path / "nothing", "there is no "), (tmp_path / "novel.txt", "is a text, not a model")):
        with pytest.raises(UserError, match=says):
            CheckpointSource(path).read(CPU)


# ---------------------------------------------------------------------- which weights answer


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_digest_of_the_weights_tells_one_checkpoint_from_another_while_a_run_trains(
    run: Path, made: list[Path]
) -> None:
    loaded: list[Loaded] = []
    put(run, made[0])
    model = LoadedModel(Load(1, str(run), device="cpu"), loaded.append)
    model.decoder()
    put(run, made[1])
    model.decoder()
    assert [one.checkpoint for one in loaded] == [sha256(folder / "model.safetensors") for folder in made]
    assert model.checkpoint == loaded[1].checkpoint != loaded[0].checkpoint
    assert not loaded[0].chat


def test_weights_of_our_own_are_read_for_their_digest_once(
    made: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(made[0], tmp_path / "copy")
    digests: list[Path] = []

    def watch(path: Path) -> str:
        digests.append(path)
        return sha256(path)

    monkeypatch.setattr(own_folder, "weights_digest", watch)
    for _ in range(2):
        assert CheckpointSource(folder).read(CPU).digest == sha256(folder / "model.safetensors")
    assert digests == [folder / "model.safetensors"]


def test_weights_from_elsewhere_have_a_digest_too(
    nanogpt: MakeNanoGpt, huggingface: MakeHuggingFace, tmp_path: Path
) -> None:
    file, folder = nanogpt(tmp_path / "out" / "ckpt.pt"), huggingface(tmp_path / "folder")
    assert CheckpointSource(tmp_path / "out").read(CPU).digest == sha256(file)
    assert CheckpointSource(folder).read(CPU).digest == sha256(folder / "model.safetensors")
    weights = dict.fromkeys(("a", "b"), "model-1.safetensors") | {"c": "model-2.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weights}))
    (folder / "model.safetensors").rename(folder / "model-1.safetensors")
    (folder / "model-2.safetensors").write_bytes(b"x")
    lines = "".join(f"{sha256(folder / name)}\n" for name in sorted(set(weights.values())))
    assert stored_digest(folder) == hashlib.sha256(lines.encode()).hexdigest()
    (folder / "model-2.safetensors").unlink()
    assert stored_digest(folder) == ""
