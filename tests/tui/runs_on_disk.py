"""Run folders as a train process would write them, and a way to write on."""

from __future__ import annotations

import json
import math
import socket
from dataclasses import replace
from pathlib import Path
from string import ascii_letters

from minigpt_tui.data.corpus import open_corpus
from minigpt_tui.data.storage.typed_json import to_plain
from minigpt_tui.data.tokenizers import CharTokenizer
from minigpt_tui.engine.events import (
    ENDED_STATES,
    TRAINING_EVENTS,
    CheckpointSaved,
    Evaluation,
    RunState,
    Started,
    StateChanged,
    Step,
    TrainingEvent,
)
from minigpt_tui.engine.runs import CorpusRecord, Run, RunManifest, RunStatus, create_run
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.presets import preset

CREATED = 1_750_000_000.0
TOTAL = 400


TALES = CorpusRecord("tales", "tales", "0" * 64, 1_000_000, 1_000_000)


def make_run(
    name: str, state: RunState = "finished", *, steps: int = 200, checkpoint: bool = True, corpus: CorpusRecord = TALES
) -> Run:
    """A run that has done `steps` of 400 and is in `state`; nobody holds its lock."""
    recipe = preset("nanogpt-char-cpu")
    model = replace(recipe.model, vocab_size=62)
    run = create_run(RunManifest(name, CREATED, recipe.name, corpus, "char", model, recipe.training))
    append(run, Started(0, TOTAL, 800_000, 62, 900_000, 100_000, "cpu", "CPU", "float32", 1, "no GPU", CREATED, 1.1))
    append(run, *(progress(step) for step in range(10, steps + 1, 10)))
    if steps >= 100:
        append(run, evaluation(100, 2.0))
    if state in ENDED_STATES:
        append(run, StateChanged(state, steps, CREATED, "the disk is full" if state == "failed" else ""))
    set_status(run, state, steps)
    if checkpoint:
        save_checkpoint(run)
    return run


def make_run_on(path: Path, text: str, name: str = "play-01") -> Run:
    """A run that has learned from this text, which lies in a file."""
    path.write_text(text)
    one = open_corpus(str(path))
    record = CorpusRecord(one.name, one.spec, one.fingerprint, one.n_bytes, one.n_characters, reading_rules=3)
    return make_run(name, corpus=record)


def append(run: Run, *events: TrainingEvent) -> None:
    """Write events at the end of metrics.jsonl."""
    with run.metrics_path.open("a") as file:
        file.writelines(TRAINING_EVENTS.encode(event) for event in events)


def progress(step: int, level: float = 1.5) -> Step:
    """Step `step` of a curve that falls from 2.5 above `level` to it."""
    loss = level + 2.5 * math.exp(-step / 60)
    return Step(step, TOTAL, step * 768, step / 20, (TOTAL - step) / 20, loss, 1e-3, 0.5, 15_000.0, 310_000_000)


def evaluation(step: int, loss: float) -> Evaluation:
    """A validation loss."""
    return Evaluation(step, step / 20, loss, math.exp(loss), loss / math.log(2), "full", True)


def set_status(run: Run, state: RunState, steps: int) -> None:
    """Replace status.json."""
    run.write_status(
        RunStatus(
            state, 1, socket.gethostname(), steps, TOTAL, CREATED, 1.6, 2.0, 1.9, best_step=150, bits_per_byte=2.74,
            parameters=800_000, tokens_per_second=15_000.0,
        )
    )  # fmt: skip


def save_checkpoint(run: Run) -> Path:
    """What makes a checkpoint visible; it cannot be loaded."""
    folder = run.checkpoints / "last"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "minigpt.json").write_text("{}")
    return folder


def write_model(folder: Path, context_length: int = 64) -> Path:
    """A checkpoint whose file of weights is whole but holds only one number: what is known before it is loaded."""
    tokenizer = CharTokenizer("".join(sorted(ascii_letters + " .,'\n")))
    model = ModelConfig(
        vocab_size=tokenizer.vocab_size, context_length=context_length, n_layer=2, n_head=4, n_kv_head=2, d_model=32
    )
    folder.mkdir(parents=True)
    (folder / "minigpt.json").write_text(json.dumps({"model": to_plain(model)}))
    tokenizer.save(folder)
    header = b'{"weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    return folder


def saved(step: int) -> CheckpointSaved:
    """The event that goes with it."""
    return CheckpointSaved(step, "last", 2.0)
