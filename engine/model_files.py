"""Which model a person means by a name or a path, and what can be known of it without loading its weights. Light."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..data.storage.errors import UserError
from ..data.storage.plain_files import open_plain
from ..data.storage.typed_json import SchemaError, from_plain
from ..data.tokenizers import TOKENIZER_FILES, CharTokenizer, Tokenizer, build_tokenizer, load_tokenizer
from ..data.typed_path import typed_path
from ..models.config import ConfigError, ModelConfig
from ..models.interop.foreign_config import read_foreign_config
from ..models.interop.foreign_folder import INDEX, WHOLE, check_weight_files, file_within, read_json
from ..models.interop.nanogpt import find_meta, read_alphabet, read_nanogpt
from ..models.interop.own_folder import DESCRIPTION, DIGEST, is_own
from .refusals import CHANGED_BY_ADAPTER, is_known_elsewhere, why_no_model, why_nothing
from .run_about import named_run
from .runs import Run, RunError, list_runs

ModelKind = Literal["minigpt", "huggingface", "nanogpt"]

WEIGHTS = (WHOLE, INDEX)  # of a Hugging Face folder: one of them
GPT2_SIZES = (50_257, 50_304)  # GPT-2's vocabulary, and what nanoGPT rounds it up to


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

    Raises RunError for a run without a checkpoint, and UserError, which says what was found, for anything else.
    """
    if run := named_run(text):
        return _of_run(run)
    try:
        path = typed_path(text).absolute()
        there = path.exists()
    except (OSError, RuntimeError, ValueError) as error:  # a circle of links, a name too long
        raise UserError(f"{text[:200]!r} is no path that can be looked at ({error}); check it") from None
    if there:
        return model_at(path)
    raise UserError(why_nothing(text, path, [run.name for run in list_runs()]))


def model_at(path: Path) -> ModelFile:
    """The model at an absolute path that exists. Raises as `find_model` does."""
    if path.is_file():
        return _of_file(path)
    if (path / "minigpt.json").is_file():
        run = Run(path.parent.parent)
        return saved_model(path, path.name, run if (run.path / "run.json").is_file() else None)
    if (path / "run.json").is_file():
        return _of_run(Run(path))
    if (path / "config.json").is_file() and any((path / name).is_file() for name in WEIGHTS):
        if (path / "adapter_config.json").is_file():
            raise UserError(f"{path} {CHANGED_BY_ADAPTER}")
        read_foreign_config(path)
        return ModelFile(path, "huggingface", _public_name(path))
    if (path / "ckpt.pt").is_file():
        return _of_file(path / "ckpt.pt")
    raise UserError(why_no_model(path))


def saved_model(folder: Path, name: str, run: Run | None) -> ModelFile:
    """The model in a folder with a minigpt.json: ours, unless another program has saved its own weights there."""
    if is_own(folder) or not (folder / "config.json").is_file():
        return ModelFile(folder, "minigpt", name, run)
    read_foreign_config(folder)
    return ModelFile(folder, "huggingface", name, run)


def checkpoint_with(run: Run, digest: str) -> Path | None:
    """The checkpoint of a run whose weights had that digest when they were written: what wrote a reply can write it
    again. None where another one has taken its place since.
    """
    try:
        folders = sorted(folder for folder in run.checkpoints.iterdir() if (folder / DESCRIPTION).is_file())
    except OSError:
        return None
    return next((folder for folder in folders if digest and _told_digest(folder) == digest), None)


def read_config(file: ModelFile) -> ModelConfig:
    """The configuration of the model. Raises UserError where it is damaged or cannot be built here."""
    if file.kind == "huggingface":
        return read_foreign_config(file.path)
    try:
        if file.kind == "nanogpt":
            return read_nanogpt(file.path).config
        path = file.path / "minigpt.json"
        return from_plain(_Description, read_json(path), path.name).model
    except SchemaError as error:
        raise UserError(f"{file.path / 'minigpt.json'} is damaged ({str(error)[:300]}); use another model") from error


def check_weights(file: ModelFile) -> None:
    """Raise UserError where weights are missing or cut short; nothing of them is read.

    What nanoGPT writes ends with the list of its parts, so of it only a whole file opens at all.
    """
    if file.kind == "nanogpt":
        return
    check_weight_files(file.path)


def read_tokenizer(file: ModelFile) -> Tokenizer:
    """The tokenizer that belongs to the model. Raises UserError."""
    if file.kind != "nanogpt":
        _check_tokenizer_files(file.path)
        return load_tokenizer(file.path)
    checkpoint = read_nanogpt(file.path)
    meta, size = find_meta(checkpoint), checkpoint.config.vocab_size
    if meta is None and size in GPT2_SIZES:
        return build_tokenizer("gpt2", alphabet="", pieces=tuple)
    if meta is None:
        prepared = f"data/{checkpoint.dataset}/meta.pkl" if checkpoint.dataset else "data/.../meta.pkl"
        raise UserError(
            f"{file.path} has {size:,} tokens, and which characters they are stands in a meta.pkl; nanoGPT's "
            f"prepare.py wrote it to {prepared}, put it at {file.path.parent / 'meta.pkl'}"
        )
    alphabet = read_alphabet(meta)
    if len(alphabet) != size:
        raise UserError(
            f"{meta} has {len(alphabet):,} characters but the model at {file.path} {size:,} tokens; they do not belong "
            f"together, put its own at {file.path.parent / 'meta.pkl'}"
        )
    return CharTokenizer(alphabet)


def _told_digest(folder: Path) -> object:
    try:
        return read_json(folder / DESCRIPTION).get(DIGEST)
    except ConfigError:
        return None


def _of_run(run: Run) -> ModelFile:
    folder = run.current_checkpoint()
    if folder is None:
        raise RunError(f"'{run.name}' has no checkpoint yet; train it for some seconds first")
    return saved_model(folder, run.name, run)


def _of_file(path: Path) -> ModelFile:
    """Torch's archives begin as every zip does, and those before version 1.6 as a pickle; all else is refused."""
    try:
        with open_plain(path) as file:
            head = file.read(4)
        of_torch = head == b"PK\x03\x04" or (head[:1] == b"\x80" and path.suffix == ".pt")
        if not of_torch or path.name.startswith("pytorch_model") or is_known_elsewhere(path.name):
            raise UserError(why_no_model(path))
        read_nanogpt(path)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error}); check its permissions") from error
    return ModelFile(path, "nanogpt", path.parent.name or path.stem)


def _check_tokenizer_files(folder: Path) -> None:
    """Raise UserError where one is no plain file of the folder: it would be read, and copied with the model."""
    for name in filter(lambda name: os.path.lexists(folder / name), TOKENIZER_FILES):
        file_within(folder, name)


def _public_name(folder: Path) -> str:
    """The folder's name; in Hugging Face's cache, where a snapshot is called by its commit, the model's."""
    cached = folder.parent.parent.name
    if folder.parent.name == "snapshots" and cached.startswith("models--"):
        return cached.removeprefix("models--").replace("--", "/")
    return folder.name
