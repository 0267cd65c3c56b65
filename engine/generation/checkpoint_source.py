"""Which checkpoint a path means right now, and reading it while a train process may be exchanging it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from ...data.tokenizers import Tokenizer, TokenizerError, load_tokenizer
from ...models.devices import DeviceChoice
from ...models.huggingface import CheckpointError, LoadedCheckpoint, load_checkpoint
from ..runs import Run

_PATIENCE = 2.0  # seconds for which a checkpoint that keeps changing is tried again
_PAUSE = 0.05

Signature = tuple[int, ...]


@dataclass(frozen=True)
class Opened:
    """A checkpoint that was read as a whole."""

    folder: Path
    signature: Signature
    checkpoint: LoadedCheckpoint
    tokenizer: Tokenizer


class CheckpointSource:
    """A checkpoint folder, or a run folder, which means that run's newest checkpoint, or its best once it has ended."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._run = Run(path) if (path / "run.json").is_file() else None

    def signature(self) -> Signature | None:
        """Changes whenever another checkpoint stands there; None where there is none."""
        folder = self._run.speaking_checkpoint() if self._run else self._path
        return _signature(folder) if folder else None

    def is_training(self) -> bool:
        """Whether the run still trains."""
        return self._run is not None and self._run.is_alive()

    def open(self, choice: DeviceChoice) -> Opened:
        """Read the checkpoint. Raises CheckpointError or TokenizerError in one sentence.

        Where another one took its place meanwhile, that one is read instead, so weights, step and tokenizer belong
        together.
        """
        deadline = time.monotonic() + _PATIENCE
        while True:
            folder = self._folder()
            before = _signature(folder)
            problem = None
            try:
                # the weights take the type of the products: a cast for each token would cost more than it saves
                checkpoint = load_checkpoint(folder, choice.device, choice.dtype, weight_dtype=choice.dtype)
                tokenizer = load_tokenizer(folder)
                if before is not None and self.signature() == before:
                    return Opened(folder, before, checkpoint, tokenizer)
            except (CheckpointError, TokenizerError) as error:
                problem = error
                time.sleep(_PAUSE)  # an exchange takes two renames; after them the signature is another one
            if problem and (self.signature() == before or time.monotonic() > deadline):
                raise problem
            if time.monotonic() > deadline:
                raise CheckpointError(f"{folder} was replaced again and again while it was read; try again")

    def _folder(self) -> Path:
        if self._run is None:
            return self._path
        folder = self._run.speaking_checkpoint()
        if folder is None:
            raise CheckpointError(
                f"the run '{self._run.name}' has no checkpoint yet; it writes its first after about two seconds of "
                "training"
            )
        return folder


def _signature(folder: Path) -> Signature | None:
    try:
        stats = [(folder / name).stat() for name in ("minigpt.json", "model.safetensors", "tokenizer.json")]
    except OSError:
        return None
    return tuple(part for stat in stats for part in (stat.st_ino, stat.st_mtime_ns, stat.st_size))
