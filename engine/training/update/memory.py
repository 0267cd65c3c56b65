"""Whether a run fits into the memory, by the formula of `models.memory`.

An accelerator raises an error when its memory ends, and then the micro-batch is halved. A CPU's memory has to be
checked before: the system grants more than there is, and kills a process that uses it.
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

_BATCH_TOKEN = 32  # bytes of a batch for each token: its offset in the text, its id, and the next one
_COPY = 1 / 16  # of the memory, which a copy of the weights may take where nobody can tell what is free
_ACTIVATIONS = 0.5  # of the memory, which they may take


class MicroBatchTooLarge(Exception):
    """The memory ran out before anything was changed: the update can be tried again with a smaller micro-batch."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, be it in a kernel or while an earlier error of that kind was handled."""
    if isinstance(error, (MicroBatchTooLarge, torch.OutOfMemoryError)) or "out of memory" in str(error):
        return True
    return error.__context__ is not None and is_out_of_memory(error.__context__)


def check_memory(manifest: RunManifest, device: torch.device, group: Group | None) -> None:
    """Raise TrainingError for a run that could only end with the whole machine out of memory."""
    memory = memory_of(device, group)
    if memory is None:
        return
    parameters, training = parameter_count(manifest.model), manifest.training
    shared = group is not None and training.sharded
    least = training_memory(manifest.model, training, 4).state // (group.size if group and shared else 1)
    if least > memory:
        what = f"training {parameters:,} parameters takes at least {least / 1e9:,.0f} GB of memory"
        advice = "choose a smaller model"
        if group:
            what += " in each process"
            advice += ", or more --devices" if shared else ", or share it between the processes with --sharded"
        raise TrainingError(f"{what}, and {device} has {memory / 1e9:,.0f} GB for it; {advice}")
    drawn = training.evaluation_batches if training.evaluation == "random" else 1
    for windows, what, option in (
        (training.batch_size, "a batch", "--batch-size"),
        (drawn * training.batch_size, "a random evaluation", "--evaluation-batches"),
    ):
        tokens = windows * (manifest.model.context_length if option == "--batch-size" else 1)
        needed = tokens * _BATCH_TOKEN
        if needed > memory:
            raise TrainingError(
                f"{what} of {windows:,} windows takes {needed / 1e9:,.0f} GB of memory before anything is "
                f"computed, and {device} has {memory / 1e9:,.0f} GB; give a smaller {option}"
            )


def has_room_for_copy(size: int, device: torch.device, group: Group | None) -> bool:
    """Whether `size` bytes more may be taken for a moment, without an update that has to make do with less then."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] > 2 * size
    memory = memory_of(device, group)
    return memory is None or size < _COPY * memory


def no_room_for_more(sequences: int) -> str:
    """What the person is told where the micro-batch of the recipe was halved to so many sequences."""
    return f"the memory has room for {sequences} sequences at a time; the batch stays whole"


def micro_batch_within_memory(
    model: ModelConfig, training: TrainingConfig, dtype: torch.dtype, device: torch.device, group: Group | None
) -> int:
    """The micro-batch of the recipe, halved until its activations fit into the memory of a CPU; in sequences.

    On an accelerator the recipe's own: there it is halved when memory runs out.
    """
    sequences = training.micro_batch_size or training.batch_size
    memory = memory_of(device, group) if device.type == "cpu" else None
    if memory is None:
        return sequences
    each = training_memory(model, training, dtype.itemsize).sequence
    while sequences > 1 and sequences * each > _ACTIVATIONS * memory:
        sequences = -(-sequences // 2)
    return sequences
