"""The model that a fine-tuning begins with."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from ...models.config import ConfigError, ModelConfig
from ...models.gpt import GPT
from ...models.huggingface import load_checkpoint
from ..launch import check_agreement
from ..model_files import ModelFile, ModelFileError, find_model
from ..runs import RunError, RunManifest
from .recovery import TrainingError


def starting_file(manifest: RunManifest) -> ModelFile | None:
    """Where the model lies that the run begins with, None for a run that begins with fresh weights.

    Raises TrainingError where it is not there any more.
    """
    if manifest.start_from is None:
        return None
    try:
        if not Path(manifest.start_from).exists():
            raise ModelFileError(f"nothing lies at {manifest.start_from}")
        return find_model(manifest.start_from)
    except (ModelFileError, RunError) as error:
        raise TrainingError(
            f"the model that '{manifest.name}' begins with is gone ({error}); put it back, or start a new run"
        ) from error


def starting_model(file: ModelFile, config: ModelConfig, device: torch.device, dtype: torch.dtype) -> GPT:
    """The model with its weights, and with the context length and the dropouts of `config`.

    Raises CheckpointError, and TrainingError where it is not what it was when the run was made.
    """
    loaded = load_checkpoint(file.path, device, dtype)
    try:
        check_agreement(config, loaded.config, file.name)
        if loaded.config.vocab_size != config.vocab_size:
            raise ConfigError(f"{file.name} knows {loaded.config.vocab_size} tokens, not {config.vocab_size}")
    except ConfigError as error:
        raise TrainingError(f"another model lies at {file.path} now ({error}); start a new run") from error
    weights = loaded.model.state_dict()
    model = GPT(config, device="meta", compute_dtype=dtype)
    if isinstance(model.positions, nn.Parameter):
        weights["positions"] = weights["positions"][: config.context_length].clone()
    model.load_state_dict(weights, assign=True)
    return model.to(device)
