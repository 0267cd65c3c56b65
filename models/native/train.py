"""The tasks of train.c over torch's tensors."""

from __future__ import annotations

import ctypes
import functools

import torch
from torch import Tensor
from torch.compiler import is_compiling

from .library import library, limit
from .structs import Task, Work

MOST_HEAD_WIDTH = 512  # that train.c has room for


def compute(work: Work, rows: int, **values: Tensor | float | None) -> None:
    """Do a task over so many rows with torch's threads; float32 tensors, contiguous, by their names in train.c."""
    found = library()
    assert found is not None
    task = Task(**{name: v.data_ptr() if isinstance(v, Tensor) else v for name, v in values.items()})
    found.train_compute(ctypes.byref(task), work, rows, torch.get_num_threads())


def fuses(x: Tensor) -> bool:
    """Whether the functions of train.c are for `x`; torch.compile makes its own instead."""
    if x.device.type != "cpu" or x.dtype != torch.float32 or is_compiling():
        return False
    found = library()
    return found is not None and (_has_threads(found) or torch.get_num_threads() == 1)


@functools.cache
def _has_threads(library: ctypes.CDLL) -> bool:
    """Whether train.c finds torch's threads; before its first task."""
    return bool(library.train_open(limit()))
