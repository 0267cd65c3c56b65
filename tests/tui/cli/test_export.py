"""The verb export as a program sees it: the path on standard output, the rest on standard error."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from minigpt_tui.data.tokenizers import build_tokenizer
from minigpt_tui.engine.runs import CorpusRecord, RunManifest, create_run
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.interop.huggingface import save_checkpoint
from minigpt_tui.models.recipe import TrainingConfig
from minigpt_tui.tui.cli.exit_codes import DONE, USAGE
from minigpt_tui.tui.cli.export import add_options

from .command import command

pytest.importorskip("gguf")

MODEL = ModelConfig(vocab_size=256, context_length=16, n_layer=1, n_head=2, d_model=32)
GPT2 = replace(MODEL, position="learned", norm="layer", mlp="gelu", qk_norm=False)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two runs on bytes: `modern`, and the newer `exact`, whose GELU llama.cpp only has nearly."""
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path))
    for place, (name, config) in enumerate((("modern", MODEL), ("exact", GPT2))):
        corpus = CorpusRecord("text", "text", "0" * 64, 1, 1)
        run = create_run(RunManifest(name, 0.0, "tiny", corpus, "byte", config, TrainingConfig()))
        os.utime(run.path / "run.json", (place, place))
        folder = run.checkpoints / "best"
        folder.mkdir(parents=True)
        tokenizer = build_tokenizer("byte", alphabet="", pieces=list)
        save_checkpoint(GPT(config), folder, tokenizer=tokenizer, step=1, validation_loss=None)
        (folder / "state.safetensors").write_bytes(b"for resuming")
    return tmp_path


def export(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: what the export process says of itself goes past this one's streams."""
    words = (sys.executable, "-m", "minigpt_tui.tui", "export", *words)
    return subprocess.run(words, capture_output=True, text=True, cwd=home, timeout=120, check=False)


@pytest.mark.long
def test_the_newest_run_becomes_a_file_named_after_it(home: Path) -> None:
    result = export(home, "--to", "gguf")
    assert result.returncode == DONE, result.stderr
    assert result.stdout == f"{home / 'exact-f16.gguf'}\n"
    assert (home / "exact-f16.gguf").read_bytes()[:4] == b"GGUF"
    notices = result.stderr.splitlines()
    assert any("GELU" in notice for notice in notices)
    assert all(notice.startswith("minigpt-tui: ") for notice in notices)
    again = export(home, "--to", "gguf")
    assert (again.returncode, again.stdout) == (USAGE, "")
    assert "--force" in again.stderr


def test_one_json_object_says_what_was_written(home: Path) -> None:
    result = export(home, "modern", "--to", "gguf", "--dtype", "q8_0", "--output", "there.gguf", "--json")
    assert result.returncode == DONE, result.stderr
    written = json.loads(result.stdout)
    assert written.keys() == {"path", "bytes", "architecture", "dtype", "parameters", "notices"}
    assert written["path"] == str(home / "there.gguf")
    assert written["bytes"] == (home / "there.gguf").stat().st_size
    assert (written["architecture"], written["dtype"]) == ("qwen3", "q8_0")
    assert written["parameters"] == sum(parameter.numel() for parameter in GPT(MODEL).parameters())
    assert result.stderr == ""


def test_a_checkpoint_becomes_a_hugging_face_folder_without_the_training(home: Path) -> None:
    (checkpoint,) = home.glob("**/modern/checkpoints/best")
    result = export(home, str(checkpoint), "--to", "huggingface")
    assert result.returncode == DONE, result.stderr
    assert result.stdout == f"{home / 'modern-huggingface'}\n"
    names = {path.name for path in (home / "modern-huggingface").iterdir()}
    assert names >= {"config.json", "model.safetensors", "tokenizer.json"}
    assert "state.safetensors" not in names


def test_what_cannot_be_asked_for_is_said_in_a_sentence(home: Path) -> None:
    for words, sentence in (
        (("nobody", "--to", "gguf"), "'nobody'"),
        (("modern", "--to", "huggingface", "--dtype", "f16"), "--dtype"),
    ):
        result = command(home, "export", *words)
        assert (result.returncode, result.stdout) == (USAGE, ""), result.stderr
        assert sentence in result.stderr
        assert len(result.stderr.splitlines()) == 1
    assert not any(home.glob("*.gguf"))


def test_the_options_are_read_as_they_are_documented() -> None:
    parser = argparse.ArgumentParser()
    add_options(parser)
    given = parser.parse_args(["mine", "--to", "gguf", "--dtype", "bf16", "--output", "x", "--force", "--json"])
    assert (given.run, given.to, given.dtype, given.output) == ("mine", "gguf", "bf16", Path("x"))
    assert given.force
    assert given.json
    with pytest.raises(SystemExit):
        parser.parse_args(["mine"])
