"""What a run needs of the memory, as far as it can be told before it is tried.

An accelerator says when its memory ends, and then the micro-batch is halved. A computer's own memory ends otherwise:
the system grants more than there is, and kills a process that takes it.
"""

from __future__ import annotations

import torch

from ....models.config import ModelConfig, parameter_count
from ....models.memory import training_memory
from ....models.recipe import TrainingConfig
from ...runs import RunManifest
from ..errors import TrainingError
from ..group import Group
from ..machine import memory_of

_PLACE = 32  # bytes of a batch for each token: where it is read from, its id, and the one after it
_SHARE = 0.5  # of the memory, which activations may take


class MicroBatchTooLarge(Exception):
    """The memory ran out before anything was changed: the update can be tried again with a smaller micro-batch."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, be it in a kernel or while an earlier error of that kind was handled."""
    if isinstance(error, (MicroBatchTooLarge, torch.OutOfMemoryError)) or "out of memory" in str(error):
        return True
    return error.__context__ is not None and is_out_of_memory(error.__context__)


def check_memory(manifest: RunManifest, device: torch.device, group: Group | None) -> None:
    """Raise TrainingError for a run that could only end with the whole machine out of memory."""
    there = memory_of(device, group)
    if there is None:
        return
    parameters, training = parameter_count(manifest.model), manifest.training
    shared = group is not None and training.sharded
    least = training_memory(manifest.model, training, 4).state // (group.size if group and shared else 1)
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
    model: ModelConfig, training: TrainingConfig, dtype: torch.dtype, device: torch.device, group: Group | None
) -> int:
    """How many sequences of a micro-batch a computer's memory has room for: all, half of them, and so on.

    Of an accelerator it is not asked.
    """
    sequences = training.micro_batch_size or training.batch_size
    there = memory_of(device, group) if device.type == "cpu" else None
    if there is None:
        return sequences
    each = training_memory(model, training, dtype.itemsize).sequence
    while sequences > 1 and sequences * each > _SHARE * there:
        sequences = -(-sequences // 2)
    return sequences
