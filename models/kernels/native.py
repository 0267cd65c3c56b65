"""The compiled file train.c, loaded by ctypes: nothing is compiled here, and where it is missing torch does the work.

`MINIGPT_NATIVE=0` leaves it out; `MINIGPT_NATIVE=avx2` keeps it to a kind of processor, such as an older one has.
"""

from __future__ import annotations

import ctypes
import enum
import functools
import os
from ctypes import c_char_p, c_float, c_int, c_int64, c_void_p
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import torch
from torch import Tensor
from torch.compiler import is_compiling

MOST_HEAD_WIDTH = 512  # that train.c has room for
_VARIABLE = "MINIGPT_NATIVE"


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
    library = loaded()
    assert library is not None
    task = _Task(**{name: v.data_ptr() if isinstance(v, Tensor) else v for name, v in values.items()})
    library.compute(ctypes.byref(task), work, rows, torch.get_num_threads())


def fuses(x: Tensor) -> bool:
    """Whether the functions of train.c are for `x`; torch.compile makes its own instead."""
    if x.device.type != "cpu" or x.dtype != torch.float32 or is_compiling():
        return False
    library = loaded()
    return library is not None and (library.has_threads or torch.get_num_threads() == 1)


class _Library:
    """The functions of train.c."""

    def __init__(self, path: Path, limit: str) -> None:
        """Raises OSError and AttributeError where it cannot be loaded."""
        file = ctypes.CDLL(str(path))
        file.train_open.restype, file.train_open.argtypes = c_int, [c_char_p]
        self.compute = file.train_compute
        self.compute.restype, self.compute.argtypes = None, [c_void_p, c_int, c_int64, c_int64]
        self.has_threads = bool(file.train_open(limit.encode()))  # those of torch


@functools.cache
def loaded() -> _Library | None:
    """The compiled file; None where it is left out, was not built, or cannot be loaded."""
    limit = os.environ.get(_VARIABLE, "")
    paths = [path for suffix in EXTENSION_SUFFIXES if (path := Path(__file__).with_name(f"_train{suffix}")).is_file()]
    if limit == "0" or not paths:
        return None
    try:
        return _Library(paths[0], limit)
    except (OSError, AttributeError):
        return None
