"""A text of a gigabyte is trained on in the memory that one of a megabyte takes."""

from __future__ import annotations

import math
import os
import random
import shutil
import sys
import time
from pathlib import Path

import pytest
from minigpt_tui.data.corpus import open_corpus
from minigpt_tui.data.tokenizers import TokenizerKind
from minigpt_tui.engine.events import ENDED_STATES, Evaluation, Started
from minigpt_tui.engine.launch import new_run, start_training
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.recipe import Budget, Recipe, TrainingConfig

from .conftest import read_events

NEEDED = 4 * 10**9  # bytes of disk: the text, its tokens, and what else wants room meanwhile
ROOM = 64  # megabytes that a thousandfold text may take beyond what the small one does
MEGABYTE = 10**6

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the memory that no file stands behind"),
]


def write_text(path: Path, n_bytes: int) -> Path:
    """Words of many kinds; no two megabytes are the same."""
    draw = random.Random(1)
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(2, 9))) for _ in range(4000)]
    block = " ".join(draw.choices(words, k=200_000)) + ".\n"
    with path.open("w", encoding="utf-8") as file:
        while file.tell() < n_bytes:
            start = draw.randrange(len(block) // 2)
            file.write(block[start : start + min(MEGABYTE // 2, n_bytes)])
    return path


def most_memory(path: Path, tokenizer: TokenizerKind) -> int:
    """Train a tiny model on the file; the most megabytes that its process had for itself, seen every few milliseconds.

    The tokens themselves lie in a mapped file, which the system reads and forgets as it likes.
    """
    model = ModelConfig(context_length=16, n_layer=1, n_head=2, d_model=16)
    training = TrainingConfig(budget=Budget(40), batch_size=8, evaluation_interval=20, device="cpu", threads=1)
    recipe = Recipe("tiny", "for tests", "tests", model, training, tokenizer, validation_fraction=1e-4)
    run = new_run(open_corpus(str(path)), recipe)
    process, most = start_training(run), 0
    deadline = time.monotonic() + 300
    while run.state() not in ENDED_STATES:
        assert time.monotonic() < deadline
        try:
            status = Path(f"/proc/{process}/status").read_text()
        except OSError:  # it has just ended
            continue
        if "RssAnon:" in status:
            most = max(most, int(status.partition("RssAnon:")[2].split()[0]) // 1024)
        time.sleep(0.005)
    assert run.state() == "finished"
    events = read_events(run)
    (started,) = [event for event in events if isinstance(event, Started)]
    assert started.train_tokens + started.validation_tokens == path.stat().st_size
    losses = [event.validation_loss for event in events if isinstance(event, Evaluation)]
    assert losses[-1] < math.log(started.vocab_size)
    return most


@pytest.mark.parametrize("tokenizer", ["char", "byte"])
def test_a_gigabyte_takes_no_more_memory_than_a_megabyte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokenizer: TokenizerKind
) -> None:
    if shutil.disk_usage(tmp_path).free < NEEDED:
        pytest.skip(f"needs {NEEDED // 10**9} GB of disk")
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path / "home"))
    small, large = tmp_path / "small.txt", tmp_path / "large.txt"
    try:
        least = most_memory(write_text(small, MEGABYTE), tokenizer)
        os.utime(write_text(large, 1000 * MEGABYTE), (0, 0))  # an old file: what was found in it is remembered
        assert most_memory(large, tokenizer) < least + ROOM
    finally:
        shutil.rmtree(tmp_path / "home", ignore_errors=True)
        large.unlink(missing_ok=True)
