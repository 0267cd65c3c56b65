"""The state of a sharded run on the disk: each rank writes and reads its own rows.

torch.distributed.checkpoint plans which rank writes and reads what, so another number of ranks can go on. Its usual
files are pickles; these are safetensors with the offsets of the rows in their header, as its Hugging Face reader
expects them.

A replicated learner keeps the same state in a few flat buffers (`FlatLayout`); `joined_state` and `split_state`
convert from one form to the other.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.checkpoint import state_dict_loader, state_dict_saver
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader, HuggingFaceStorageWriter
from torch.distributed.checkpoint.planner import SavePlan, SavePlanner
from torch.distributed.checkpoint.storage import WriteResult
from torch.distributed.tensor import DTensor
from torch.futures import Future

from ....models.gpt import GPT
from ....models.tensor_file import CheckpointError, load_tensors, save_tensors
from ..update.flat_parameters import FlatLayout

_FLAT_BUFFERS = ("optimizer.momentum", "optimizer.first_moment", "optimizer.second_moment", "weights")


class _ShardWriter(HuggingFaceStorageWriter):
    """One file for each rank, written tensor by tensor: the base class needs numpy, and twice the memory."""

    def write_data(self, plan: SavePlan, planner: SavePlanner) -> Future[list[WriteResult]]:
        """Write this rank's rows, and fsync them."""
        rows: dict[str, Tensor] = {}
        offsets: dict[str, object] = {}
        for item in plan.items:
            assert item.tensor_data
            if 0 not in item.tensor_data.chunk.sizes:
                rows[item.index.fqn] = planner.resolve_data(item)  # pyright: ignore[reportArgumentType]
                offsets[item.index.fqn] = {"saved_offsets": list(item.tensor_data.chunk.offsets)}
        file = Path(self.path) / f"rows-{plan.storage_data['shard_index']:05d}.safetensors"
        header = {
            "format": "pt", "DCP_VERSION": "1.0", "DCP_SHARDING_INFO": json.dumps(offsets),
            "processes": str(dist.get_world_size()),
        }  # fmt: skip
        save_tensors(file, rows, header)
        with file.open("rb") as written:
            os.fsync(written.fileno())
        done: Future[list[WriteResult]] = Future()
        done.set_result([])
        return done


def write_shards(folder: Path, state: Mapping[str, DTensor]) -> None:
    """Write `state` into the empty `folder`, which all ranks must reach; a collective.

    Raises OSError in all ranks where one could not write.
    """
    try:
        state_dict_saver.save(dict(state), storage_writer=_ShardWriter(str(folder), save_distributed=True))
    except CheckpointException as error:
        raise OSError(f"not every process could write into {folder}: {_first_failure(error)}") from error


def read_shards(folder: Path, state: Mapping[str, Tensor], alone: bool = False) -> None:
    """Overwrite `state` with what lies in `folder`, which all ranks must reach; a collective.

    A process that is `alone` reads whole tensors. Raises CheckpointError in all ranks where something is missing or
    does not fit.
    """
    try:
        state_dict_loader.load(dict(state), storage_reader=HuggingFaceStorageReader(str(folder)), no_dist=alone)
    except CheckpointException as error:
        raise CheckpointError(
            f"{folder} cannot be read ({_first_failure(error)}); it must be whole, and within reach of every process"
        ) from error


def joined_state(folder: Path, model: GPT) -> dict[str, Tensor]:
    """What lies in `folder`, as the flat buffers of a replicated learner of `model`. Raises CheckpointError."""
    stored = {name for file in folder.glob("*.safetensors") for name in load_tensors(file)[0]}
    layout = FlatLayout(model)
    parameters = {parameter: name for name, parameter in model.named_parameters()}
    state: dict[str, Tensor] = {}
    for buffer in _FLAT_BUFFERS:
        is_stored = [f"{buffer}.{parameters[parameter]}" in stored for parameter in layout.offsets]
        if any(is_stored):
            whole, bounds = torch.zeros(layout.size), [*layout.offsets.values(), layout.size]
            views = {
                f"{buffer}.{parameters[parameter]}": layout.view(whole, parameter)
                for parameter, its_own in zip(layout.offsets, is_stored, strict=True)
                if its_own
            }
            read_shards(folder, views, alone=True)
            first = is_stored.index(True)
            state[buffer] = whole[bounds[first] : bounds[first + len(views)]]
    return state


def split_state(state: Mapping[str, Tensor], model: GPT) -> Callable[[str], Tensor]:
    """The inverse: a function that returns each parameter's tensor by its name, a view of its flat buffer.

    It raises ValueError for a state of another model or optimizer.
    """
    layout = FlatLayout(model)
    parameters = dict(model.named_parameters())

    def tensor(name: str) -> Tensor:
        buffer = next(buffer for buffer in _FLAT_BUFFERS if name.startswith(buffer + "."))
        parameter, flat = parameters[name.removeprefix(buffer + ".")], state.get(buffer)
        # every buffer begins with the first parameter, except AdamW's beside Muon, which ends with the last
        size = 0 if flat is None else len(flat)
        start = layout.size - size if buffer.endswith("_moment") else 0
        offset = layout.offsets[parameter] - start
        if flat is None or offset < 0 or offset + parameter.numel() > size:
            raise ValueError("the optimizer's state belongs to another model or optimizer")
        return flat[offset : offset + parameter.numel()].view(parameter.shape)

    return tensor


def _first_failure(error: CheckpointException) -> str:
    """The first line of the first rank's error."""
    cause = next(iter(error.failures.values()))[0]
    return (str(cause).splitlines() or [""])[0][:200] or type(cause).__name__
