"""What a run needs of the memory, as far as it can be told before it is tried.

An accelerator says when its memory ends, and then the micro-batch is halved. A computer's own memory ends otherwise:
the system grants more than there is, and kills a process that takes it.
"""

from __future__ import annotations

import torch

from ....models.config import ModelConfig, parameter_count
from ....models.gpt import EXPLICIT_LENGTH
from ...runs import RunManifest
from ..errors import TrainingError
from ..group import Group
from ..machine import memory_of

_PARAMETER = 12  # bytes: a weight, its gradient and one moment, each a float32
_PLACE = 32  # bytes of a batch for each token: where it is read from, its id, and the one after it
_SHARE = 0.5  # of the memory, which activations may take


def check_memory(manifest: RunManifest, device: torch.device, group: Group | None) -> None:
    """Raise TrainingError for a run that could only end with the whole machine out of memory."""
    there = memory_of(device, group)
    if there is None:
        return
    parameters, training = parameter_count(manifest.model), manifest.training
    shared = group is not None and training.sharded
    least = parameters * _PARAMETER // (group.size if group and shared else 1)
    if least > there:
        what = f"training {parameters:,} parameters takes at least {least / 1e9:,.0f} GB of memory"
        advice = "choose a smaller model"
        if group:
            what += " in each process"
            advice += ", or more --devices" if shared else ", or share it between the processes with --sharded"
        raise TrainingError(f"{what}, and {device} has {there / 1e9:,.0f} GB for it; {advice}")
    drawn = training.evaluation_batches if training.evaluation == "random" else 1
    for windows, what, option in (
        (training.batch_size, "a batch", "--batch-size"),
        (drawn * training.batch_size, "a random evaluation", "--evaluation-batches"),
    ):
        tokens = windows * (manifest.model.context_length if option == "--batch-size" else 1)
        if tokens * _PLACE > there:
            raise TrainingError(
                f"{what} of {windows:,} windows takes {tokens * _PLACE / 1e9:,.0f} GB of memory before anything is "
                f"computed, and {device} has {there / 1e9:,.0f} GB; give a smaller {option}"
            )


def micro_batch_within_memory(
    batch_size: int, model: ModelConfig, dtype: torch.dtype, device: torch.device, group: Group | None
) -> int:
    """How many sequences of a batch a computer's memory has room for at once: all, half of them, and so on.

    Of an accelerator it is not asked.
    """
    there = memory_of(device, group) if device.type == "cpu" else None
    while there is not None and batch_size > 1 and batch_size * _activations(model, dtype) > _SHARE * there:
        batch_size = -(-batch_size // 2)
    return batch_size


def _activations(model: ModelConfig, dtype: torch.dtype) -> int:
    """Bytes that a sequence leaves behind for its gradient, about."""
    length, width = model.context_length, model.size_per_head
    heads = (model.n_head + 2 * model.kv_heads) * width
    scores = 3 * model.n_head * length if length <= EXPLICIT_LENGTH else 0
    hidden = 0 if model.mlp == "none" else 4 * model.hidden_size
    block = (8 * model.d_model + 4 * heads + scores + hidden) * dtype.itemsize
    return length * (model.n_layer * block + 14 * model.vocab_size)
