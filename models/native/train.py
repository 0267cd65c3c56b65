"""The tasks of train.c over torch's tensors."""

from __future__ import annotations

import ctypes
import enum
import functools
from ctypes import c_char_p, c_float, c_int, c_int64, c_void_p

import torch
from torch import Tensor
from torch.compiler import is_compiling

from .library import library, limit

MOST_HEAD_WIDTH = 512  # that train.c has room for


class Work(enum.IntEnum):
    """The tasks of train.c, which says what each reads and writes."""

    NORM = 0
    NORM_BACKWARD = 1
    SWIGLU = 2
    SWIGLU_BACKWARD = 3
    HEADS = 4
    HEADS_BACKWARD = 5
    SOFTMAX = 6
    SOFTMAX_BACKWARD = 7


class _Task(ctypes.Structure):
    _fields_ = [
        *((name, c_int64) for name in ("batch", "length", "width", "heads", "kv_heads", "rotary", "normed")),
        ("eps", c_float),
        *((name, c_void_p) for name in ("a", "b", "c", "d", "e", "out", "out2", "out3")),
    ]


def compute(work: Work, rows: int, **values: Tensor | float | None) -> None:
    """Do a task over so many rows with torch's threads; float32 tensors, contiguous, by their names in train.c."""
    found = library()
    assert found is not None
    task = _Task(**{name: v.data_ptr() if isinstance(v, Tensor) else v for name, v in values.items()})
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
    library.train_open.restype, library.train_open.argtypes = c_int, [c_char_p]
    library.train_compute.restype, library.train_compute.argtypes = None, [c_void_p, c_int, c_int64, c_int64]
    return bool(library.train_open(limit()))
