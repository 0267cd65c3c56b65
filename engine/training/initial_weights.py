"""The weights that a run's model begins with: new ones, or those of a model that is fine-tuned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ...data.storage.errors import UserError
from ...models.config import ConfigError, ModelConfig
from ...models.gpt import GPT
from ...models.interop.huggingface import open_checkpoint
from ...models.interop.stored_model import StoredModel
from ..launch import check_agreement
from ..model_files import ModelFile, find_model
from ..runs import RunManifest
from .errors import TrainingError


def base_model_file(manifest: RunManifest) -> ModelFile | None:
    """The model that the run fine-tunes; None for a run with new weights. Raises TrainingError where it is gone."""
    if manifest.start_from is None:
        return None
    try:
        if not Path(manifest.start_from).exists():
            raise UserError(f"nothing lies at {manifest.start_from}")
        return find_model(manifest.start_from)
    except UserError as error:
        raise TrainingError(
            f"the model that '{manifest.name}' fine-tunes is gone ({error}); put it back, or start a new run"
        ) from error


def open_base_model(file: ModelFile, config: ModelConfig) -> StoredModel:
    """The stored model, with the context length that it was trained with.

    Raises CheckpointError, and TrainingError where it is not what it was when the run was made.
    """
    stored = open_checkpoint(file.path)
    try:
        check_agreement(config, stored.config, file.name)
        if stored.config.vocab_size != config.vocab_size:
            raise ConfigError(f"{file.name} knows {stored.config.vocab_size} tokens, not {config.vocab_size}")
    except ConfigError as error:
        raise TrainingError(f"another model lies at {file.path} now ({error}); start a new run") from error
    return stored


def load_base_model(file: ModelFile, config: ModelConfig, device: torch.device, dtype: torch.dtype) -> GPT:
    """The model with its weights, and with the context length and the dropouts of `config`.

    Raises CheckpointError, and TrainingError where it is not what it was when the run was made.
    """
    weights = open_base_model(file, config).build(device, dtype, None).state_dict()
    model = GPT(config, device="meta", compute_dtype=dtype)
    if isinstance(model.positions, nn.Parameter):
        weights["positions"] = weights["positions"][: config.context_length].clone()
    model.load_state_dict(weights, assign=True)
    return model.to(device)


@dataclass(frozen=True)
class WholeWeights:
    """The initial weights of a sharded model, of which one parameter at a time is in memory.

    `read` makes a parameter, float32 on the CPU, from its name and shape; it is called once for each, in their order.
    """

    config: ModelConfig
    read: Callable[[str, torch.Size], Tensor]


def fresh_weights(config: ModelConfig, seed: int) -> WholeWeights:
    """The weights that `GPT.reset_parameters` draws with this seed."""
    model, generator = GPT(config, device="meta"), torch.Generator().manual_seed(seed)
    return WholeWeights(config, lambda name, shape: model.draw_parameter(name, shape, generator))


def stored_weights(stored: StoredModel, config: ModelConfig | None = None) -> WholeWeights:
    """The weights of a checkpoint, for a model as `config` has it: learned positions may be fewer there.

    Raises CheckpointError where a tensor is missing or does not fit, and `read` does where one holds NaN or infinity.
    """
    stored.check()

    def read(name: str, shape: torch.Size) -> Tensor:
        return stored.read(name)[: shape[0]]

    return WholeWeights(config or stored.config, read)
