"""The one model in memory, kept as new as the checkpoint it comes from.

A path means a run, and that the newest checkpoint of that run, or any other model on disk. A train process may replace
the checkpoint while it is read here, so what was read is kept only where the same checkpoint stood there throughout.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ...data.storage.errors import UserError
from ...data.tokenizers import Tokenizer
from ...models.config import flops_per_token, parameter_count
from ...models.devices import DeviceChoice, choose_device, memory_in_use
from ...models.fast.quantization import quantize_int8
from ...models.interop.huggingface import LoadedCheckpoint, load_checkpoint
from ...models.interop.weights_digest import stored_digest
from ..freed_memory import give_back
from ..model_files import ModelFile, model_at, read_tokenizer, saved_model
from ..requests import Load, Loaded, Quantization
from ..runs import Run
from .cpu_threads import DecodeThreads
from .cpu_tuning import tune_for_cpu
from .decoder import Decoder

_ATTEMPTS = 20  # for a checkpoint that is replaced each time while it is read
_PAUSE = 0.05  # seconds; a replacement takes two renames

Signature = tuple[int, ...]


@dataclass(frozen=True)
class ReadModel:
    """Weights and tokenizer that belong together."""

    file: ModelFile
    digest: str  # SHA-256 of the weights as they lie on disk
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
        return self._current()[1]

    def is_training(self) -> bool:
        """Whether the run still trains."""
        return self._run is not None and self._run.seems_alive()

    def read(self, choice: DeviceChoice) -> ReadModel:
        """Read the model. Raises UserError.

        Where another checkpoint took its place meanwhile, that one is read instead, so weights, step and tokenizer
        belong together.
        """
        for _ in range(_ATTEMPTS):
            folder, signature = before = self._current()
            try:
                file = self._file(folder)
                with ThreadPoolExecutor(1) as beside:  # a foreign model's can take as long as its loading
                    digest = beside.submit(stored_digest, file.path)
                    checkpoint = self._load(file, choice)
                tokenizer = read_tokenizer(file)
            except UserError:
                time.sleep(_PAUSE)
                if self._current() == before:  # damaged, and not only replaced while it was read
                    raise
                continue
            if self._current() == before:
                return ReadModel(file, digest.result(), signature, checkpoint, tokenizer)
        raise UserError(f"the checkpoint in {self._path} was replaced again and again while it was read; try again")

    def _load(self, file: ModelFile, choice: DeviceChoice) -> LoadedCheckpoint:
        if self._quantize == "none":
            # the weights take the type of the products: a cast for each token would cost more than it saves
            return load_checkpoint(file.path, choice.device, choice.dtype, weight_dtype=choice.dtype)
        checkpoint = load_checkpoint(file.path, choice.device, choice.dtype)
        quantize_int8(checkpoint.model)
        return checkpoint

    def _current(self) -> tuple[Path | None, Signature | None]:
        """Where the checkpoint lies right now, and its signature."""
        try:
            folder = self._run.current_checkpoint() if self._run else self._path
        except UserError:  # the file system has no locks to tell whether it trains
            folder = self._run.checkpoint() if self._run else None
        return folder, _signature(folder) if folder else None

    def _file(self, folder: Path | None) -> ModelFile:
        if folder is None:
            raise UserError(
                f"the run '{self._path.name}' has no checkpoint yet; it writes its first after about a second of "
                "training"
            )
        return saved_model(folder, self._path.name, self._run) if self._run else model_at(folder)


def _signature(folder: Path) -> Signature | None:
    try:
        stats = [(folder / name).stat() for name in ("minigpt.json", "model.safetensors", "tokenizer.json")]
    except OSError:
        return None
    return tuple(part for stat in stats for part in (stat.st_ino, stat.st_mtime_ns, stat.st_size))


class LoadedModel:
    """What a Load asked for. `announce` is called with each set of weights that came into memory."""

    def __init__(self, load: Load, announce: Callable[[Loaded], None]) -> None:
        """Choose the device; nothing is read yet. Raises DeviceError."""
        self._load, self._announce = load, announce
        self._choice = choose_device(load.device, load.dtype, training=False)
        self._source = CheckpointSource(Path(load.path), load.quantize)
        self._read: ReadModel | None = None
        self._decoder: Decoder | None = None
        self.threads = DecodeThreads()
        self.notices: tuple[str, ...] = ()

    @property
    def step(self) -> int:
        """The training step of the weights in memory."""
        return self._read.checkpoint.step if self._read else 0

    @property
    def checkpoint(self) -> str:
        """SHA-256 of the weights in memory as they lie on disk, "" where it is unknown."""
        return self._read.digest if self._read else ""

    def begin_reply(self) -> Decoder:
        """Bring the model up to date, and choose the threads that it decodes with. Raises as `decoder` does."""
        decoder = self.decoder()
        decoder.prefill_threads = self.threads.begin_reply(while_training=self._source.is_training())
        return decoder

    def decoder(self) -> Decoder:
        """The model to answer with: what is in memory, or newer weights where the load said to follow them.

        Raises UserError where there is nothing to answer with. Newer weights that cannot be read are a notice,
        as long as there are older ones.
        """
        self.notices = ()
        if self._decoder is None or self._read is None:
            return self._load_newest()
        if not self._load.follow or self._source.signature() in (None, self._read.signature):
            return self._decoder
        try:
            return self._load_newest()
        except UserError as error:
            self.notices = (f"these are the weights of step {self.step}; the newest cannot be read: {error}",)
            return self._decoder

    def _load_newest(self) -> Decoder:
        read, old = self._source.read(self._choice), self._read
        checkpoint, config = read.checkpoint, read.checkpoint.config
        if self._decoder and old and old.checkpoint.config == config:
            self._decoder.load_weights(checkpoint.model, read.tokenizer)
        else:
            # what we train on has no token that ends a text; what others train on has
            self._decoder = Decoder(
                checkpoint.model,
                read.tokenizer,
                end_token_starts_text=read.file.kind != "minigpt",
                literal=_learned_literally(read.file.run),
            )
            self.threads = tune_for_cpu(self._decoder, self._load.threads)
        self._read = read
        give_back()  # weights as they were read, before they were rounded or laid out again
        self._announce(
            Loaded(
                id=self._load.id,
                path=self._load.path,
                step=checkpoint.step,
                parameters=parameter_count(config),
                vocab_size=self._decoder.vocab_size,
                context_length=config.context_length,
                device=str(self._choice.device),
                dtype=str(self._choice.dtype).removeprefix("torch.")
                if self._load.quantize == "none"
                else self._load.quantize,
                memory=memory_in_use(self._choice.device),
                validation_loss=checkpoint.validation_loss,
                flops_per_token=flops_per_token(config),
                chat="default" in read.tokenizer.chat_templates,
                checkpoint=read.digest,
            )
        )
        return self._decoder


def _learned_literally(run: Run | None) -> bool:
    """Whether the names of special tokens were text in the training; no, where nobody knows."""
    with suppress(UserError):
        return run is not None and run.manifest().literal
    return False
