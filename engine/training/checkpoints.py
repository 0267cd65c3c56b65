"""checkpoints/last, checkpoints/best and checkpoints/step-000500: Hugging Face folders that appear all at once.

`last` also has state.safetensors, what a resumed run needs to go on as if it had never stopped. Under all
circumstances one whole checkpoint stands on the disk: the new one is written beside the old one, then exchanged.
"""

from __future__ import annotations

import math
import os
import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from torch import Tensor

from ...data.storage.atomic import replace
from ...data.storage.plain_files import read_plain
from ...data.storage.typed_json import SchemaError, loads, to_plain
from ...data.tokenizers import Tokenizer, TokenizerError, load_tokenizer
from ...models.config import ModelConfig, differing_fields
from ...models.gpt import GPT
from ...models.interop.huggingface import CheckpointError, open_checkpoint, save_checkpoint
from ...models.interop.own_folder import is_own
from ...models.interop.stored_model import StoredModel
from ...models.recipe import Budget
from ...models.tensor_file import load_tensors, save_tensors

Kind = Literal["last", "best", "history"]
SHARDS = "rows"  # the folder in the checkpoint of a sharded run with the state of each rank
_RESERVE = 8  # times the weights: room to exchange `last` with its state, and `best`, twice more


@dataclass(frozen=True)
class Counters:
    """How far a run was: minigpt.json keeps it under "training"."""

    step: int = 0
    seconds: float = 0.0  # of training
    best_validation_loss: float | None = None
    evaluations_without_better: int = 0
    learning_rate_scale: float = 1.0
    validation_loss: float | None = None  # at this very step; None where it was not evaluated
    budget: Budget | None = None  # in the place of the recipe's, where it was changed
    evaluation_interval: int | None = None  # the same
    sample_prompts: tuple[str, ...] | None = None
    recoveries: int = 0  # how often the run went back to a checkpoint because it had diverged

    def __post_init__(self) -> None:
        """Raise ValueError for what no run can have."""
        counts = (self.step, self.evaluations_without_better, self.recoveries, self.evaluation_interval or 0)
        losses = [loss for loss in (self.best_validation_loss, self.validation_loss) if loss is not None]
        if any(not 0 <= count < 2**63 for count in counts) or not 0 <= self.seconds < math.inf:
            raise ValueError(f"step {self.step} after {self.seconds} seconds and its other counts cannot be")
        if not 0 < self.learning_rate_scale < math.inf:
            raise ValueError(f"learning_rate_scale cannot be {self.learning_rate_scale}")
        if not all(map(math.isfinite, losses)):
            raise ValueError("a loss is no number")


@dataclass(frozen=True)
class _Description:
    """The part of minigpt.json that is ours."""

    training: Counters


@dataclass(frozen=True)
class Resumed:
    """A checkpoint to go on from, its weights still in the file. `state` is None where it has weights alone.

    `shards` is the folder with the rest of the state, where ranks of a sharded model wrote it.
    """

    stored: StoredModel
    tokenizer: Tokenizer
    counters: Counters
    state: dict[str, Tensor] | None
    shards: Path | None
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
    full_tensor: Callable[[str], Tensor] | None = None,
    write_shards: Callable[[Path], None] | None = None,
) -> None:
    """Write a checkpoint in the place of the one before; those of the history stand side by side.

    Of a sharded model `full_tensor` returns a whole parameter by its name, and `write_shards` writes into a folder
    what `state` does not hold.
    Raises OSError, on a full disk for example; then the old checkpoint is untouched and nothing else is left.
    """

    def fill(folder: Path) -> None:
        extra = {"training": to_plain(counters)}
        save_checkpoint(
            model, folder, tokenizer=tokenizer, step=counters.step, validation_loss=validation_loss, extra=extra,
            whole=full_tensor,
        )  # fmt: skip
        if state is not None:
            save_tensors(folder / "state.safetensors", state, {"format": "minigpt-training-state"})
            if write_shards:
                write_shards(folder / SHARDS)

    checkpoints.mkdir(exist_ok=True)  # but not the run's folder: where that is deleted it stays so
    exchange(checkpoints, f"step-{counters.step:06d}" if kind == "history" else kind, fill)


def history(checkpoints: Path) -> list[Path]:
    """The checkpoints of earlier steps that are kept to look back to, the oldest first."""
    folders = (folder for folder in checkpoints.glob("step-*") if folder.name[5:].isdecimal())
    return sorted(folders, key=_step_of)


def thin(checkpoints: Path, limit: int) -> None:
    """Delete checkpoints of the history beyond `limit`, so that those left are spread evenly over the run.

    The newest always stays; of the others the one goes whose neighbours are closest to each other.
    """
    for leftover in checkpoints.glob(".step-*"):  # of a process that was killed while it wrote
        shutil.rmtree(leftover, ignore_errors=True)
    folders = history(checkpoints)
    while len(folders) > limit:
        steps = [0, *map(_step_of, folders)]
        i = min(range(1, len(folders)), key=lambda i: steps[i + 1] - steps[i - 1], default=1)
        shutil.rmtree(folders.pop(i - 1), ignore_errors=True)


def has_room_for_history(checkpoints: Path, weights: int) -> bool:
    """Whether the disk has room for `weights` bytes more, and then still for all that the run itself must write."""
    folder = checkpoints if checkpoints.exists() else checkpoints.parent
    return shutil.disk_usage(folder).free >= (1 + _RESERVE) * weights


def _step_of(folder: Path) -> int:
    return int(folder.name.removeprefix("step-"))


def exchange(checkpoints: Path, name: str, fill: Callable[[Path], None]) -> None:
    """Let `fill` write a new folder in `checkpoints`, and exchange it for `name`, which is whole at every moment.

    While the two are exchanged the old one stands as .NAME.old, where Run.checkpoint looks for it.
    """
    current, new, old = (checkpoints / filename for filename in (name, f".{name}.new", f".{name}.old"))
    try:
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir()
        fill(new)
        for path in new.rglob("*"):
            _fsync(path)
        _fsync(new)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    if current.exists():
        shutil.rmtree(old, ignore_errors=True)
        replace(current, old)
    replace(new, current)
    _fsync(checkpoints)
    shutil.rmtree(old, ignore_errors=True)


def resume_from(checkpoints: Path, note: Callable[[str], None], model: ModelConfig | None = None) -> Resumed | None:
    """The newest whole checkpoint, where `model` is given of that one with any vocabulary; None where there is none.

    `note` receives a sentence where a damaged one is skipped. Raises CheckpointError where all are damaged.
    """
    problem: CheckpointError | None = None
    for name in ("last", ".last.old", "best", ".best.old"):
        folder = checkpoints / name
        if not folder.exists():
            continue
        try:
            resumed = _load(folder, model)
        except CheckpointError as error:
            problem = error
            continue
        if problem:
            optimizer = "" if resumed.state else ", with a new optimizer"
            note(f"{problem}; going on from {folder.name} at step {resumed.counters.step} instead{optimizer}")
        return resumed
    if problem:
        raise problem
    return None


def _load(folder: Path, model: ModelConfig | None) -> Resumed:
    path = folder / "minigpt.json"
    if not is_own(folder):
        raise CheckpointError(
            f"{folder} holds other weights than those that its {path.name} describes, so they are not this run's; to "
            f"train them further begin a new run: minigpt-tui train TEXT --from {shlex.quote(str(folder))}"
        )
    stored = open_checkpoint(folder)
    stored.check()
    other = differing_fields(stored.config, model) if model else []
    if other and other != ["vocab_size"]:
        raise CheckpointError(
            f"{path} describes another model than run.json does ({', '.join(other)}); use another checkpoint"
        )
    try:
        counters = loads(_Description, read_plain(path), str(path)).training
    except (OSError, SchemaError) as error:
        raise CheckpointError(f"{path} does not say how far the run was ({error})") from None
    try:
        tokenizer = load_tokenizer(folder)
    except TokenizerError as error:
        raise CheckpointError(str(error)) from None
    state, shards = None, folder / SHARDS
    if (folder / "state.safetensors").exists() or folder.name in ("last", ".last.old"):
        state = load_tensors(folder / "state.safetensors")[0]
    _check_steps(folder, counters.step, stored.step, state)
    if shards.exists():
        _check_shards(shards)
    return Resumed(stored, tokenizer, counters, state, shards if shards.exists() else None, folder)


def _check_steps(folder: Path, step: int, of_weights: int, state: dict[str, Tensor] | None) -> None:
    """Raise CheckpointError where the files of a checkpoint were written at different steps."""
    steps = {step, of_weights}
    if state is not None and "step" in state:
        steps.add(int(state["step"]))
    if len(steps) > 1:
        raise CheckpointError(
            f"{folder} mixes files of the steps {', '.join(map(str, sorted(steps)))}; use another checkpoint"
        )


def _check_shards(folder: Path) -> None:
    """Raise CheckpointError unless the files of all ranks are there and whole."""
    files = list(folder.iterdir())
    for file in files:
        if load_tensors(file)[1].get("processes") != str(len(files)):
            raise CheckpointError(f"{folder} lacks the file of a process; use another checkpoint")


def _fsync(path: Path) -> None:
    """Flush a file or folder to the disk; Windows cannot open folders, and renames durably without it."""
    if path.is_dir() and os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
