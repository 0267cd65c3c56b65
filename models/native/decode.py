"""A model and a step of it as decode.c reads them. Light: no torch here."""

from __future__ import annotations

import ctypes
import functools
from ctypes import POINTER, c_char_p, c_float, c_int, c_int32, c_int64, c_void_p

ACTIVATIONS = ("gelu", "gelu_tanh", "relu", "relu2", "swiglu", "none")  # in the order of decode.c
GROUP = 64  # int8 weights that share a scale
NO_MEMORY, NO_SUCH_TOKEN = 1, 2  # what a step answers instead of 0


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


@functools.cache
def decoder(library: ctypes.CDLL) -> ctypes.CDLL:
    """The functions of decode.c, with the types of what they take and return."""
    library.decode_open.restype, library.decode_open.argtypes = c_void_p, [POINTER(Model), c_char_p]
    library.decode_step.restype, library.decode_step.argtypes = c_int, [c_void_p, POINTER(Step)]
    library.decode_close.restype, library.decode_close.argtypes = None, [c_void_p]
    return library
