"""The compiled part, loaded by ctypes, or why there is none. Light: no torch here.

`MINIGPT_NATIVE=0` leaves it out; `MINIGPT_NATIVE=avx2` keeps it to a kind of processor, such as an older one has.
"""

from __future__ import annotations

import ctypes
import functools
import os
from ctypes import POINTER, c_char_p, c_int, c_int64, c_void_p
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

from . import structs

_VARIABLE = "MINIGPT_NATIVE"
_FUNCTIONS: dict[str, list[Any]] = {  # what they return, and what they take
    "native_kind": [c_char_p, c_char_p],
    "decode_size": [c_int64],
    "decode_open": [c_void_p, POINTER(structs.Model), c_char_p],
    "decode_step": [c_int, c_void_p, POINTER(structs.Step)],
    "decode_close": [None, c_void_p],
    "train_size": [c_int64],
    "train_open": [c_int, c_char_p],
    "train_compute": [None, POINTER(structs.Task), c_int, c_int64, c_int64],
}


def library() -> ctypes.CDLL | None:
    """The compiled part; None where it is left out or cannot be loaded, which `absence` explains."""
    return None if _is_left_out() else _load()[0]


def absence() -> str:
    """Why there is no compiled part; empty where there is one."""
    return f"{_VARIABLE} is 0" if _is_left_out() else _load()[1]


def kind() -> str:
    """The kind of processor that it is compiled for and runs on here: avx512, avx2, neon or plain; empty without it."""
    found = library()
    return found.native_kind(limit()).decode() if found is not None else ""


def limit() -> bytes:
    """The kind of processor that the environment limits it to; empty for no limit."""
    return os.environ.get(_VARIABLE, "").encode()


def _is_left_out() -> bool:
    return os.environ.get(_VARIABLE) == "0"


@functools.cache
def _load() -> tuple[ctypes.CDLL | None, str]:
    folder = Path(__file__).parent
    paths = [path for suffix in EXTENSION_SUFFIXES if (path := folder / f"_compiled{suffix}").is_file()]
    if not paths:
        return None, "minigpt-tui was installed without a C compiler"
    try:
        found = ctypes.CDLL(str(paths[0]))
        for name, (returned, *taken) in _FUNCTIONS.items():
            function = getattr(found, name)
            function.restype, function.argtypes = returned, taken
    except (OSError, AttributeError) as error:
        return None, f"{paths[0].name} cannot be loaded: {error}"
    model, layer, step = (ctypes.sizeof(struct) for struct in (structs.Model, structs.Layer, structs.Step))
    if (found.decode_size(), found.train_size()) != (model << 32 | layer << 16 | step, ctypes.sizeof(structs.Task)):
        return None, f"{paths[0].name} is of another version"
    return found, ""
