"""A FIFO, a device or a link out of the folder in the place of a file: nothing waits, and each verb says one thing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from minigpt_tui.data.storage.errors import UserError
from minigpt_tui.engine.model_files import find_model, read_config, read_tokenizer
from minigpt_tui.engine.runs import Run
from minigpt_tui.engine.training.checkpoints import resume_from
from minigpt_tui.models.interop.huggingface import load_checkpoint

from .command import Outcome, command

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no FIFOs on paths"), pytest.mark.timeout(60)
]  # fmt: skip

OF_RUN = ("run.json", "status.json", "metrics.jsonl", "commands.jsonl", "log.txt", "lock")
OF_CHECKPOINT = ("minigpt.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
OF_FOREIGN = ("config.json", "generation_config.json", *OF_CHECKPOINT[1:])
KINDS = ("fifo", "device", "link")


def replace(path: Path, kind: str) -> None:
    """Put something else in the place of a file; the link leads to a copy of it elsewhere."""
    elsewhere = path.parents[1] / f"elsewhere-{path.name}"
    path.rename(elsewhere)
    if kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero" if kind == "device" else elsewhere)


@pytest.fixture
def cats(trained_once: Path, tmp_path: Path) -> Run:
    """The finished run `cats` in a home of its own."""
    return Run(shutil.copytree(trained_once, tmp_path / "home") / "data" / "runs" / "cats")


def read_model(folder: Path) -> None:
    """As what generates, evaluates and exports does."""
    file = find_model(str(folder))
    read_config(file)
    load_checkpoint(file.path)
    read_tokenizer(file)


def home_of(run: Run) -> Path:
    return run.path.parents[2]


def refused(result: Outcome) -> bool:
    """Whether a verb said why not, in one sentence."""
    one_line = result.stderr.startswith("minigpt-tui: ") and len(result.stderr.splitlines()) == 1
    return result.returncode in (1, 2) and one_line


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", OF_RUN)
def test_a_run_whose_file_is_none_is_listed_or_left_out_and_not_resumed(cats: Run, name: str, kind: str) -> None:
    replace(cats.path / name, kind) if (cats.path / name).exists() else os.mkfifo(cats.path / name)
    for words in (("runs",), ("runs", "--json")):
        assert command(home_of(cats), *words).returncode == 0
    for words in (("resume", "cats"), ("resume", str(cats.path), "--budget", "90 steps"), ("stop", "cats")):
        result = command(home_of(cats), *words)
        assert refused(result), result


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", OF_CHECKPOINT)
def test_a_checkpoint_whose_file_is_none_is_not_opened(cats: Run, name: str, kind: str) -> None:
    best = cats.checkpoint("best")
    assert best is not None
    replace(best / name, kind)
    with pytest.raises(UserError) as caught:
        read_model(best)
    assert str(best) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", OF_FOREIGN)
def test_a_foreign_folder_whose_file_is_none_is_not_opened(cats: Run, name: str, kind: str) -> None:
    folder = cats.checkpoints / "best"
    (folder / "minigpt.json").unlink()
    replace(folder / name, kind)
    with pytest.raises(UserError) as caught:
        read_model(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["fifo", "device"])
@pytest.mark.parametrize("name", ["state.safetensors", *OF_CHECKPOINT])
def test_a_run_is_not_resumed_from_a_checkpoint_whose_file_is_none(cats: Run, name: str, kind: str) -> None:
    replace(cats.checkpoints / "last" / name, kind)
    shutil.rmtree(cats.checkpoints / "best")
    with pytest.raises(UserError):
        resume_from(cats.checkpoints, lambda note: None)
    assert refused(command(home_of(cats), "resume", "cats", "--budget", "90 steps"))


@pytest.mark.parametrize("kind", KINDS)
def test_what_generates_says_it_too(cats: Run, kind: str) -> None:
    replace(cats.checkpoints / "best" / "model.safetensors", kind)
    for words in (("generate", "cats", "--prompt", "the"), ("export", "cats", "--to", "huggingface")):
        result = command(home_of(cats), *words)
        assert refused(result), result
        assert result.stdout == ""


@pytest.mark.parametrize("kind", ["fifo", "device"])
def test_a_text_that_is_none_is_refused(cats: Run, kind: str) -> None:
    home = home_of(cats)
    replace(home / "cats.txt", kind)
    for words in (
        ("train", "cats.txt", "--steps", "2"), ("score", "cats", "cats.txt"), ("evaluate", "cats", "--on", "cats.txt"),
        ("generate", "cats", "--prompt-file", "cats.txt"), ("resume", "cats", "--corpus", "cats.txt"),
    ):  # fmt: skip
        result = command(home, *words)
        assert refused(result), result
