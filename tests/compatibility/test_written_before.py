"""What the program wrote before its modules were arranged in rooms still opens, resumes and speaks.

`written_before_the_rooms.zip` was written by commit 14f0164: `home` is MINIGPT_HOME with a run that was stopped by

    minigpt-tui train tales:30KB --preset quick --name stopped --steps 2000 --n-layer 1 --n-head 2 --n-kv-head 1
        --d-model 16 --d-ff 16 --context-length 16 --batch-size 4 --average 0.9 --deterministic --threads 1 --device cpu
        --dtype float32 --evaluation-interval 200 --checkpoint-interval 100 --residual-dropout 0.1 --warmup-steps 10

and with settings, a prompt history and a cached text; `finished` holds the weights and the state with which that commit
finished the run; `expected.json` says what it wrote and measured, and on which processor.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from minigpt_tui.data.corpus import open_corpus
from minigpt_tui.data.corpus_tokenizer import corpus_tokenizer
from minigpt_tui.data.encoding import encode_corpus
from minigpt_tui.engine.requests import SamplingSettings
from minigpt_tui.engine.run_about import find_run
from minigpt_tui.tui.settings import load_history, load_settings

ARCHIVE = Path(__file__).with_name("written_before_the_rooms.zip")


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("before")
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def expected(unpacked: Path) -> dict[str, Any]:
    return json.loads((unpacked / "expected.json").read_text())


@pytest.fixture
def home(unpacked: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINIGPT_HOME", str(unpacked / "home"))
    return unpacked / "home"


def minigpt(*words: str) -> str:
    result = subprocess.run(
        [sys.executable, "-m", "minigpt_tui.tui", *words], capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_run_is_listed_and_speaks_as_before(home: Path, expected: dict[str, Any]) -> None:
    [run] = json.loads(minigpt("runs", "--json"))
    assert (run["name"], run["state"], run["step"]) == ("stopped", "stopped", 1392)
    assert minigpt("generate", "stopped", "--prompt", "Once", "--seed", "7", "--max-tokens", "60") == expected["spoken"]


def test_the_checkpoint_has_the_loss_that_was_measured(home: Path, expected: dict[str, Any]) -> None:
    evaluated = json.loads(minigpt("evaluate", "stopped", "--json"))
    assert evaluated["loss"] == pytest.approx(expected["evaluated"]["loss"], abs=1e-4)
    assert evaluated["tokens"] == expected["evaluated"]["tokens"]


def test_the_settings_and_the_prompt_history_are_read(home: Path) -> None:
    settings, notices = load_settings()
    assert notices == []
    assert (settings.theme, settings.panels, settings.explain, settings.samples) == ("minigpt-light", False, True, 3)
    assert settings.sampling == dataclasses.replace(
        SamplingSettings(), temperature=0.7, top_k=12, stop=("\n\n", "END"), seed=99
    )
    assert load_history() == ["Once upon a time", "zwei\nZeilen", "ROMEO:"]


def test_a_text_cached_without_a_checksum_is_encoded_again_to_the_same_tokens(home: Path, tmp_path: Path) -> None:
    text = tmp_path / "abc.txt"
    text.write_text("".join(f"line {number % 97} of a long text, abc\n" for number in range(40_000)))
    [cached] = (home / "cache" / "tokens").glob("*.ids")
    written, before = digest(cached), cached.stat().st_ino

    def encode() -> tuple[int, int]:
        corpus = open_corpus(str(text))
        tokenizer = corpus_tokenizer(
            corpus, "char", validation_fraction=0.1, bpe_vocab_size=300, unknown="drop", progress=None
        )
        dataset = encode_corpus(corpus, tokenizer, validation_fraction=0.1, context_length=16, device="cpu")
        return len(dataset.train), len(dataset.validation)

    assert encode() == (1_004_283, 111_587)
    assert digest(cached) == written
    again = cached.stat().st_ino
    assert again != before
    assert encode() == (1_004_283, 111_587)
    assert cached.stat().st_ino == again, "the file with a checksum is found"


@pytest.mark.parametrize("compiled", [False, True], ids=["torch's operators", "compiled"])
def test_the_stopped_run_goes_on_to_the_same_weights(
    tmp_path: Path, unpacked: Path, expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch, compiled: bool
) -> None:
    shutil.copytree(unpacked / "home", tmp_path / "home")
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MINIGPT_NATIVE", "" if compiled else "0")
    minigpt("resume", "stopped")
    run = find_run("stopped")
    events = [json.loads(line) for line in run.metrics_path.read_text().splitlines()]
    assert events[-1]["event"] == "state"
    assert events[-1]["state"] == "finished"
    loss = [event["validation_loss"] for event in events if event["event"] == "eval"][-1]
    assert loss == pytest.approx(expected["finished_validation_loss"], abs=0.02)
    # it was written by torch's operators; elsewhere, and by compiled functions, sums are rounded otherwise
    if not compiled and (processor(), torch.__version__) == (expected["cpu"], expected["torch"]):
        last = run.path / "checkpoints" / "last"
        for name in ("model.safetensors", "state.safetensors"):
            assert digest(last / name) == digest(unpacked / "finished" / name)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def processor() -> str:
    if not os.path.exists("/proc/cpuinfo"):
        return platform.processor()
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
