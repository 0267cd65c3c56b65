"""Checkpoints as Hugging Face folders: weights, configuration and tokenizer that transformers opens as they are.

`minigpt.json` beside them holds our own configuration, and the digest of the weights that it belongs to; that and
`model.safetensors` are all we read back. A folder without it, or with other weights, is a foreign model.
"""

from __future__ import annotations

import functools
import json
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from ...data.storage.plain_files import read_plain
from ...data.storage.typed_json import SchemaError, dumps, from_plain, loads, parse
from ..config import ConfigError, ModelConfig, parameter_count
from ..gpt import GPT
from ..tensor_file import CheckpointError, load_tensors, save_tensors
from .foreign_folder import WHOLE, file_within
from .foreign_weights import open_foreign
from .huggingface_layouts import ModelType, config_json, constants, model_type, places
from .nanogpt_weights import open_nanogpt
from .own_folder import DESCRIPTION, DIGEST, is_own, weights_digest
from .stored_model import StoredModel, check_step

__all__ = ["CheckpointError", "LoadedCheckpoint", "load_checkpoint", "open_checkpoint", "save_checkpoint"]

FORMAT = 1
MAX_DESCRIPTION_SIZE = 1 << 20  # bytes of minigpt.json


class SavableTokenizer(Protocol):
    """What a checkpoint needs of a tokenizer."""

    kind: Any
    begin: tuple[int, ...]
    end_tokens: frozenset[int]

    def save(self, folder: Path) -> None:
        """Write tokenizer.json and what belongs to it."""
        ...


@dataclass(frozen=True)
class Description:
    """The part of minigpt.json that loading needs."""

    format: int
    model: ModelConfig
    step: int = 0
    validation_loss: float | None = None
    model_type: ModelType | None = None  # the naming scheme of the tensors

    def __post_init__(self) -> None:
        """Raise ValueError for a step that no training reaches."""
        check_step(self.step)


@dataclass(frozen=True)
class _Trained:
    """What the metadata of the weights say, each as JSON."""

    step: int
    validation_loss: float | None

    def __post_init__(self) -> None:
        check_step(self.step)


@dataclass(frozen=True)
class LoadedCheckpoint:
    """A model with the step and the validation loss (nats per token, None if never evaluated) of its weights."""

    model: GPT
    config: ModelConfig
    step: int
    validation_loss: float | None


def save_checkpoint(
    model: GPT,
    folder: Path,
    *,
    tokenizer: SavableTokenizer,
    step: int,
    validation_loss: float | None,
    extra: dict[str, Any] | None = None,
    whole: Callable[[str], Tensor] | None = None,
) -> None:
    """Write the whole checkpoint into an existing empty `folder`; making it appear atomically is the caller's task.

    `extra` is added to minigpt.json under its own keys. `whole` returns a full parameter by name where the model holds
    only a shard of it. Raises OSError where it cannot be written.
    """
    config = model.config
    if validation_loss is not None and not math.isfinite(validation_loss):
        validation_loss = None
    shapes = {name: parameter.shape for name, parameter in model.named_parameters()}
    where, fixed = places(config, shapes), constants(config)
    parameter = functools.lru_cache(maxsize=1)(
        whole or model.get_parameter
    )  # the tensors of one parameter follow each other
    empty = {name: place.of(torch.empty(shapes[place.parameter], device="meta")) for name, place in where.items()}

    def tensor(name: str) -> Tensor:
        return fixed[name] if name in fixed else where[name].of(parameter(where[name].parameter))

    metadata = {"format": "pt", "step": str(step), "validation_loss": json.dumps(validation_loss)}
    save_tensors(folder / "model.safetensors", empty | fixed, metadata, tensor)
    tokenizer.save(folder)
    generation = {"do_sample": True, "temperature": 0.8, "top_k": 0, "max_length": config.context_length}
    ends = sorted(tokenizer.end_tokens)
    special = {
        "bos_token_id": tokenizer.begin[0] if tokenizer.begin else None,
        "eos_token_id": ends[0] if len(ends) == 1 else ends or None,
        "pad_token_id": None,
    }
    description = {
        "format": FORMAT, "model": config, "model_type": model_type(config), "tokenizer": tokenizer.kind,
        "parameters": parameter_count(config), "step": step, "validation_loss": validation_loss,
        DIGEST: weights_digest(folder / "model.safetensors"),
    }  # fmt: skip
    for name, content in (
        ("config.json", config_json(config) | special),
        ("generation_config.json", generation | special),
        (DESCRIPTION, (extra or {}) | description),
    ):
        (folder / name).write_text(dumps(content, indent=2) + "\n", encoding="utf-8")


def load_checkpoint(
    path: Path,
    device: torch.device | str = "cpu",
    compute_dtype: torch.dtype = torch.float32,
    weight_dtype: torch.dtype | None = None,
) -> LoadedCheckpoint:
    """Read a folder that `save_checkpoint` wrote, another Hugging Face folder, or nanoGPT's `ckpt.pt`.

    The model comes back in evaluation mode; a foreign one has step 0 and no validation loss.
    Weights are float32 and can be trained further. With `weight_dtype`, usually the compute dtype, the model is for
    generation only: no weight is cast in a step, and none has a gradient. Raises CheckpointError in one sentence for
    anything missing, truncated, foreign, contradictory or not finite; all shapes are checked before anything larger
    than the file itself is allocated.
    """
    stored = open_checkpoint(path)
    model = stored.build(device, compute_dtype, weight_dtype)
    return LoadedCheckpoint(model, stored.config, stored.step, stored.validation_loss)


def open_checkpoint(path: Path) -> StoredModel:
    """What `load_checkpoint` would read, with its weights still in the files. Raises CheckpointError."""
    if path.is_file() or (path.suffix == ".pt" and not path.is_dir()):
        return open_nanogpt(path)
    if not (path / "config.json").exists() or is_own(path):
        return _open_own(path)
    return open_foreign(path)


def _open_own(folder: Path) -> StoredModel:
    """A checkpoint that `save_checkpoint` wrote."""
    try:
        for name in filter(lambda name: os.path.lexists(folder / name), (DESCRIPTION, WHOLE)):
            file_within(folder, name)
    except ConfigError as error:
        raise CheckpointError(str(error)) from None
    description = _read_description(folder / DESCRIPTION)
    tensors, metadata = load_tensors(folder / "model.safetensors")
    naming = description.model_type or model_type(description.model)
    step, loss = _trained(metadata, description)
    return StoredModel(folder / "model.safetensors", description.model, tensors, naming, step, loss, padded=True)


def _read_description(path: Path) -> Description:
    """minigpt.json, checked. Raises CheckpointError."""
    try:
        if path.stat().st_size > MAX_DESCRIPTION_SIZE:
            raise CheckpointError(f"{path} is too large to be a checkpoint's description; use another checkpoint")
        description = loads(Description, read_plain(path), path.name)
    except FileNotFoundError:
        raise CheckpointError(
            f"{path.parent} holds no checkpoint (neither {path.name} nor config.json is there); choose a folder that "
            "this program saved, or a Hugging Face folder"
        ) from None
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror}); check its permissions") from None
    except SchemaError as error:
        raise CheckpointError(f"{path} is damaged ({str(error)[:300]}); use another checkpoint") from None
    if description.format > FORMAT:
        raise CheckpointError(
            f"{path} has format {description.format}, this version reads up to {FORMAT}; update the program"
        )
    if description.model.vocab_size < 1:
        raise CheckpointError(f"{path} describes a model without tokens; use another checkpoint")
    return description


def _trained(metadata: dict[str, str], description: Description) -> tuple[int, float | None]:
    """Step and validation loss from the metadata of the weights, else from minigpt.json."""
    try:
        trained = from_plain(_Trained, {name: parse(metadata[name]) for name in ("step", "validation_loss")})
    except (KeyError, ValueError, RecursionError):
        return description.step, description.validation_loss
    return trained.step, trained.validation_loss
