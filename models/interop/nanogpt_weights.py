"""A nanoGPT checkpoint as a stored model: its tensors are memory-mapped from the file that torch.save wrote."""

from __future__ import annotations

import mmap
from pathlib import Path

import torch
from torch import Tensor

from ...data.storage.errors import UserError
from ...data.storage.plain_files import open_plain
from ..tensor_file import CheckpointError
from .nanogpt import read_nanogpt
from .stored_model import StoredModel
from .torch_archive import ITEM_SIZES, StoredTensor


def open_nanogpt(path: Path) -> StoredModel:
    """The model in nanoGPT's `ckpt.pt`, whose pickle is read and never executed. Raises CheckpointError."""
    try:
        found = read_nanogpt(path)
        with open_plain(path) as file:
            # a private copy: nothing is written back, and torch need not warn of memory that cannot be written
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        tensors = {name: _view(content, tensor) for name, tensor in found.tensors.items()}
    except UserError as error:
        raise CheckpointError(str(error)) from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}); check that nothing else writes to it") from None
    return StoredModel(path, found.config, tensors, "nanogpt", found.step, found.validation_loss)


def _view(content: mmap.mmap, tensor: StoredTensor) -> Tensor:
    """The tensor in the mapped file, read from disk when it is used."""
    dtype: torch.dtype = getattr(torch, tensor.dtype)
    if tensor.start % ITEM_SIZES[tensor.dtype]:  # torch aligns storages; another program's zip file may not
        size = tensor.n_items * ITEM_SIZES[tensor.dtype]
        storage = torch.frombuffer(bytearray(content[tensor.start : tensor.start + size]), dtype=dtype)
    else:
        storage = torch.frombuffer(content, dtype=dtype, count=tensor.n_items, offset=tensor.start)
    return storage.as_strided(tensor.shape, tensor.stride, tensor.offset)
