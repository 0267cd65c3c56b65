"""The structs of decode.c and train.c. Light: no torch here."""

from __future__ import annotations

import ctypes
import enum
from ctypes import POINTER, c_float, c_int32, c_int64, c_void_p

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


class Task(ctypes.Structure):
    """What such a task works on."""

    _fields_ = [
        *((name, c_int64) for name in ("batch", "length", "width", "heads", "kv_heads", "rotary", "normed")),
        ("eps", c_float),
        *((name, c_void_p) for name in ("a", "b", "c", "d", "e", "out", "out2", "out3")),
    ]
