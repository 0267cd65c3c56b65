"""checkpoints/last and checkpoints/best: Hugging Face folders that appear all at once.

`last` also has state.safetensors, what a resumed run needs to go on as if it had never stopped. Under all
circumstances one whole checkpoint stands on the disk: the new one is written beside the old one, then exchanged.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from ...data.atomic import replace
from ...data.tokenizers import Tokenizer, TokenizerError, load_tokenizer
from ...models.gpt import GPT
from ...models.huggingface import CheckpointError, load_checkpoint, save_checkpoint
from ...models.tensor_file import load_tensors, save_tensors
from ...models.typed_json import SchemaError, loads, to_plain

Kind = Literal["last", "best"]


@dataclass(frozen=True)
class Counters:
    """How far a run was: minigpt.json keeps it under "training"."""

    step: int = 0
    seconds: float = 0.0  # of training
    best_validation_loss: float | None = None
    evaluations_without_better: int = 0
    learning_rate_scale: float = 1.0
    validation_loss: float | None = None  # at this very step; None where it was not evaluated
    recoveries: int = 0  # how often the run went back to a checkpoint because it had diverged


@dataclass(frozen=True)
class _Description:
    """The part of minigpt.json that is ours."""

    training: Counters


@dataclass(frozen=True)
class Resumed:
    """A checkpoint to go on from. `state` is None where only the weights are whole."""

    model: GPT
    tokenizer: Tokenizer
    counters: Counters
    state: dict[str, Tensor] | None
    folder: Path


def save(
    checkpoints: Path,
    kind: Kind,
    model: GPT,
    tokenizer: Tokenizer,
    counters: Counters,
    *,
    validation_loss: float | None = None,
    state: dict[str, Tensor] | None = None,
) -> None:
    """Write a checkpoint and put it in the place of the one before.

    Raises OSError, a full disk for example, with the old checkpoint in its place and nothing else left behind.
    """

    def fill(folder: Path) -> None:
        extra = {"training": to_plain(counters)}
        save_checkpoint(
            model, folder, tokenizer=tokenizer, step=counters.step, validation_loss=validation_loss, extra=extra
        )
        if state is not None:
            save_tensors(folder / "state.safetensors", state, {"format": "minigpt-training-state"})

    exchange(checkpoints, kind, fill)


def exchange(checkpoints: Path, name: str, fill: Callable[[Path], None]) -> None:
    """Let `fill` write a new folder and exchange it for `name`, which is whole at every moment.

    While the two are exchanged the old one stands as .NAME.old, where Run.checkpoint looks for it.
    """
    current, new, old = (checkpoints / form for form in (name, f".{name}.new", f".{name}.old"))
    try:
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        fill(new)
        for path in new.iterdir():
            _to_disk(path)
        _to_disk(new)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    if current.exists():
        shutil.rmtree(old, ignore_errors=True)
        replace(current, old)
    replace(new, current)
    _to_disk(checkpoints)
    shutil.rmtree(old, ignore_errors=True)


def resume_from(
    checkpoints: Path, device: torch.device, dtype: torch.dtype, note: Callable[[str], None]
) -> Resumed | None:
    """The newest whole checkpoint, None where there is none at all.

    A damaged one is named in a note and passed over. Raises CheckpointError where all are damaged.
    """
    problem: CheckpointError | None = None
    for name in ("last", ".last.old", "best", ".best.old"):
        folder = checkpoints / name
        if not folder.exists():
            continue
        try:
            resumed = _load(folder, device, dtype)
        except CheckpointError as error:
            problem = error
            continue
        if problem:
            anew = "" if resumed.state else ", with a new optimizer"
            note(f"{problem}; going on from {folder.name} at step {resumed.counters.step} instead{anew}")
        return resumed
    if problem:
        raise problem
    return None


def _load(folder: Path, device: torch.device, dtype: torch.dtype) -> Resumed:
    loaded = load_checkpoint(folder, device, dtype)
    path = folder / "minigpt.json"
    try:
        counters = loads(_Description, path.read_bytes(), str(path)).training
    except (OSError, SchemaError) as error:
        raise CheckpointError(f"{path} does not say how far the run was ({error})") from None
    try:
        tokenizer = load_tokenizer(folder)
    except TokenizerError as error:
        raise CheckpointError(str(error)) from None
    state = None
    if (folder / "state.safetensors").exists() or folder.name in ("last", ".last.old"):
        state = load_tensors(folder / "state.safetensors")[0]
    return Resumed(loaded.model, tokenizer, counters, state, folder)


def _to_disk(path: Path) -> None:
    """Fsync of a file or folder; folders cannot be opened on Windows, where renaming is durable without it."""
    if path.is_dir() and os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
