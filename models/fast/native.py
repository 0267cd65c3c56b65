"""The compiled decode step, decode.c, loaded by ctypes. Nothing is compiled here; where it is missing torch decodes.

`MINIGPT_NATIVE=0` leaves it out; `MINIGPT_NATIVE=avx2` keeps it to a kind of processor, such as an older one has.
Light: no torch here.
"""

from __future__ import annotations

import ctypes
import functools
import os
from ctypes import POINTER, c_char_p, c_float, c_int, c_int32, c_int64, c_void_p
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

ACTIVATIONS = ("gelu", "gelu_tanh", "relu", "relu2", "swiglu", "none")  # in the order of decode.c
GROUP = 64  # int8 weights that share a scale
NO_MEMORY, NO_SUCH_TOKEN = 1, 2  # what a step answers instead of 0
_VARIABLE = "MINIGPT_NATIVE"


class LinearLayer(ctypes.Structure):
    """A weight [out, in] in float32, or rounded with its scales."""

    _fields_ = [("weight", c_void_p), ("rounded", c_void_p), ("scales", c_void_p), ("bias", c_void_p),
                ("out", c_int64), ("in_", c_int64)]  # fmt: skip


class Norm(ctypes.Structure):
    """LayerNorm where it is centred, otherwise RMSNorm; without a gain there is none."""

    _fields_ = [("gain", c_void_p), ("bias", c_void_p), ("eps", c_float), ("centred", c_int32)]


class Layer(ctypes.Structure):
    """A block of the model."""

    _fields_ = [(name, Norm) for name in ("attention_norm", "q_norm", "k_norm", "mlp_norm")] + [
        (name, LinearLayer) for name in ("qkv", "out", "up", "down")
    ]


class Model(ctypes.Structure):
    """The whole model."""

    _fields_ = [
        (name, c_int64) for name in ("layers", "width", "heads", "kv_heads", "head_width", "hidden", "vocabulary")
    ] + [
        ("post", c_int32), ("activation", c_int32), ("embedding", c_void_p), ("layer", POINTER(Layer)),
        ("norm", Norm), ("head", LinearLayer),
    ]  # fmt: skip


class Step(ctypes.Structure):
    """One position of all rows."""

    _fields_ = (
        [(name, c_int64) for name in ("rows", "position", "positions", "threads")]
        + [(name, c_void_p) for name in ("tokens", "place", "cos", "sin", "keys", "values")]
        + [(name, c_int64) for name in ("layer_stride", "row_stride", "head_stride")]
        + [("logits", c_void_p)]
    )


def library() -> ctypes.CDLL | None:
    """The compiled file; None where it is left out or cannot be loaded, which `absence` explains."""
    return None if _is_left_out() else _load()[0]


def absence() -> str:
    """Why there is no compiled decode step; empty where there is one."""
    return f"{_VARIABLE} is 0" if _is_left_out() else _load()[1]


def kind() -> str:
    """The kind of processor that it is compiled for and runs on here: avx512, avx2, neon or plain; empty without it."""
    found = library()
    return found.decode_kind(limit()).decode() if found is not None else ""


def limit() -> bytes:
    """The kind of processor that the environment limits it to."""
    return os.environ.get(_VARIABLE, "").encode()


def _is_left_out() -> bool:
    return os.environ.get(_VARIABLE) == "0"


@functools.cache
def _load() -> tuple[ctypes.CDLL | None, str]:
    paths = [path for suffix in EXTENSION_SUFFIXES if (path := Path(__file__).with_name(f"_decode{suffix}")).is_file()]
    if not paths:
        return None, "minigpt-tui was installed without a C compiler"
    try:
        found = ctypes.CDLL(str(paths[0]))
        found.decode_kind.restype, found.decode_kind.argtypes = c_char_p, [c_char_p]
        found.decode_open.restype, found.decode_open.argtypes = c_void_p, [POINTER(Model), c_char_p]
        found.decode_step.restype, found.decode_step.argtypes = c_int, [c_void_p, POINTER(Step)]
        found.decode_close.restype, found.decode_close.argtypes = None, [c_void_p]
    except (OSError, AttributeError) as error:
        return None, f"{paths[0].name} cannot be loaded: {error}"
    return found, ""
