"""Products of several rows with a weight matrix by oneDNN, which torch brings along for compiled models.

Left alone, torch multiplies in float32 by MKL, which on AMD's processors makes no use of the wide vectors: there oneDNN
takes half the time or less. It differentiates nothing, so it serves models that only generate.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """As F.linear for a CPU: x [..., in], weight [out, in], fastest where that lies by columns."""
    return torch.ops.mkldnn._linear_pointwise.default(x, weight, bias, "none", [], "")


@functools.cache
def is_available() -> bool:
    """Whether this build of torch has it."""
    try:
        return bool(linear(torch.ones(2, 3), torch.ones(4, 3), torch.ones(4)).eq(4).all())
    except (AttributeError, RuntimeError, NotImplementedError):
        return False
