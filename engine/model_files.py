"""Which model a person means by a name or a path, and what can be known of it without loading its weights. Light."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..data.tokenizers import Tokenizer, load_tokenizer
from ..models.config import ModelConfig
from ..models.typed_json import SchemaError, loads
from .runs import Run, RunError, find_run

ModelKind = Literal["minigpt", "huggingface", "nanogpt"]


class ModelFileError(Exception):
    """A path is no model that can be opened; the message says what was found there and what to do."""


@dataclass(frozen=True)
class ModelFile:
    """A model on disk: one of our checkpoints, a foreign Hugging Face folder, or nanoGPT's ckpt.pt."""

    path: Path  # the folder, or the .pt file
    kind: ModelKind
    name: str  # what a person would call it
    run: Run | None = None  # the run whose checkpoint this is


@dataclass(frozen=True)
class _Description:
    """The part of minigpt.json that is needed here."""

    model: ModelConfig


def find_model(text: str) -> ModelFile:
    """The model that `text` names: a run's name or folder, a checkpoint, a Hugging Face folder, a nanoGPT checkpoint.

    Raises ModelFileError for anything else, by what was found in it, and RunError for a run without a checkpoint.
    """
    path = Path(text).expanduser()
    if (path / "minigpt.json").is_file():
        run = Run(path.absolute().parent.parent)
        return ModelFile(path.absolute(), "minigpt", path.name, run if (run.path / "run.json").is_file() else None)
    run = find_run(text)
    folder = run.speaking_checkpoint()
    if folder is None:
        raise RunError(f"'{run.name}' has no checkpoint yet; train it for some seconds first")
    return ModelFile(folder, "minigpt", run.name, run)


def read_config(file: ModelFile) -> ModelConfig:
    """The configuration of the model. Raises ModelFileError where it is damaged or cannot be built here."""
    path = file.path / "minigpt.json"
    try:
        return loads(_Description, path.read_bytes(), path.name).model
    except (OSError, SchemaError) as error:
        raise ModelFileError(f"{path} cannot be read: {error}") from error


def read_tokenizer(file: ModelFile) -> Tokenizer:
    """The tokenizer that belongs to the model. Raises TokenizerError."""
    return load_tokenizer(file.path)
