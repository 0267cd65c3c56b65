"""Which model a path means right now, and reading it while a train process may be exchanging its checkpoint."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from ...data.storage.errors import UserError
from ...data.tokenizers import Tokenizer
from ...models.devices import DeviceChoice
from ...models.fast.quantization import quantize_int8
from ...models.interop.huggingface import CheckpointError, LoadedCheckpoint, load_checkpoint
from ..model_files import ModelFile, model_at, read_tokenizer
from ..requests import Quantization
from ..runs import Run

_ATTEMPTS = 20  # for a checkpoint that is exchanged each time while it is read
_PAUSE = 0.05  # seconds; an exchange takes two renames

Signature = tuple[int, ...]


@dataclass(frozen=True)
class Opened:
    """A model that was read as a whole."""

    file: ModelFile
    signature: Signature | None
    checkpoint: LoadedCheckpoint
    tokenizer: Tokenizer


class CheckpointSource:
    """A run folder, which means that run's newest checkpoint, or its best once it has ended; or any other model."""

    def __init__(self, path: Path, quantize: Quantization = "none") -> None:
        self._path, self._quantize = path, quantize
        self._run = Run(path) if (path / "run.json").is_file() else None

    def signature(self) -> Signature | None:
        """Changes whenever another checkpoint of ours stands there.

        None where there is none, and always for a foreign model, which nobody trains meanwhile.
        """
        return self._standing()[1]

    def is_training(self) -> bool:
        """Whether the run still trains."""
        return self._run is not None and self._run.is_alive()

    def open(self, choice: DeviceChoice) -> Opened:
        """Read the model. Raises UserError.

        Where another checkpoint took its place meanwhile, that one is read instead, so weights, step and tokenizer
        belong together.
        """
        for _ in range(_ATTEMPTS):
            folder, signature = before = self._standing()
            try:
                file = self._file(folder)
                checkpoint = self._load(file, choice)
                tokenizer = read_tokenizer(file)
            except UserError:
                time.sleep(_PAUSE)
                if self._standing() == before:  # damaged, and not only exchanged while it was read
                    raise
                continue
            if self._standing() == before:
                return Opened(file, signature, checkpoint, tokenizer)
        raise CheckpointError(
            f"the checkpoint in {self._path} was replaced again and again while it was read; try again"
        )

    def _load(self, file: ModelFile, choice: DeviceChoice) -> LoadedCheckpoint:
        if self._quantize == "none":
            # the weights take the type of the products: a cast for each token would cost more than it saves
            return load_checkpoint(file.path, choice.device, choice.dtype, weight_dtype=choice.dtype)
        checkpoint = load_checkpoint(file.path, choice.device, choice.dtype)
        quantize_int8(checkpoint.model)
        return checkpoint

    def _standing(self) -> tuple[Path | None, Signature | None]:
        """Where the checkpoint lies right now, and its signature."""
        folder = self._run.speaking_checkpoint() if self._run else self._path
        return folder, _signature(folder) if folder else None

    def _file(self, folder: Path | None) -> ModelFile:
        if folder is None:
            raise CheckpointError(
                f"the run '{self._path.name}' has no checkpoint yet; it writes its first after about two seconds of "
                "training"
            )
        return ModelFile(folder, "minigpt", self._path.name, self._run) if self._run else model_at(folder)


def _signature(folder: Path) -> Signature | None:
    try:
        stats = [(folder / name).stat() for name in ("minigpt.json", "model.safetensors", "tokenizer.json")]
    except OSError:
        return None
    return tuple(part for stat in stats for part in (stat.st_ino, stat.st_mtime_ns, stat.st_size))
