"""A checkpoint takes the place of the one before at once, or not at all."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import torch
from minigpt_tui.data.tokenizers import ByteTokenizer
from minigpt_tui.engine.runs import Run
from minigpt_tui.engine.training import checkpoints
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.tensor_file import load_tensors, save_tensors


def test_an_exchange_that_was_cut_short_is_mended(tmp_path):
    def fill(text: str):
        return lambda folder: (folder / "minigpt.json").write_text(text)

    run = Run(tmp_path)
    folder = run.checkpoints
    folder.mkdir()
    checkpoints.exchange(folder, "last", fill("1"))
    (folder / "last").rename(folder / ".last.old")  # killed between the two renames
    assert run.checkpoint("last") == folder / ".last.old"
    checkpoints.exchange(folder, "last", fill("2"))
    assert (folder / "last" / "minigpt.json").read_text() == "2"
    assert [path.name for path in folder.iterdir()] == ["last"]

    def fails(new: Path) -> None:
        (new / "minigpt.json").write_text("3")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        checkpoints.exchange(folder, "last", fails)
    assert (folder / "last" / "minigpt.json").read_text() == "2"
    assert [path.name for path in folder.iterdir()] == ["last"]


def test_weights_of_another_program_are_not_gone_on_from(tmp_path):
    tokenizer = ByteTokenizer()
    model = GPT(ModelConfig(vocab_size=256, context_length=8, n_layer=1, n_head=1, d_model=8))
    written: list[tuple[checkpoints.Kind, int]] = [("best", 20), ("last", 30)]
    for kind, step in written:
        state = {"x": torch.zeros(1)} if kind == "last" else None
        checkpoints.save(tmp_path, kind, model, tokenizer, checkpoints.Counters(step), state=state)
    weights = tmp_path / "last" / "model.safetensors"
    tensors, metadata = load_tensors(weights)
    save_tensors(weights, {name: tensor + 1 for name, tensor in tensors.items()}, metadata)
    notes: list[str] = []
    resumed = checkpoints.resume_from(tmp_path, notes.append)
    assert resumed is not None
    assert (resumed.folder.name, resumed.counters.step) == ("best", 20)
    assert "holds other weights than those that its minigpt.json describes" in notes[0]
    assert f"minigpt-tui train TEXT --from {tmp_path / 'last'}" in notes[0]
