"""Linear layers by oneDNN, which torch brings along for compiled models.

By default torch multiplies float32 matrices with MKL, which on AMD's processors makes no use of the wide vectors: there
oneDNN takes half the time or less. The operator has no gradient, so it serves models that only generate.

oneDNN compiles a kernel for each number of rows and caches a thousand of them, half a megabyte each. So larger numbers
of rows are padded with zeros up to one of a few sizes, which share a kernel.
"""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor

_UNPADDED = 16  # numbers of rows up to this have a kernel each


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """F.linear on a CPU: x [..., in], weight [out, in], fastest where the weight is column-major."""
    multiply = torch.ops.mkldnn._linear_pointwise.default
    rows = x.shape[:-1].numel()
    if (added := padded_rows(rows) - rows) == 0:
        return multiply(x, weight, bias, "none", [], "")
    padded = F.pad(x.reshape(rows, -1), (0, 0, 0, added))
    return multiply(padded, weight, bias, "none", [], "")[:rows].view(*x.shape[:-1], -1)


def padded_rows(rows: int) -> int:
    """The number of rows that `rows` are padded to: large numbers are rounded up to four binary digits."""
    step = 1 << rows.bit_length() - 4 if rows > _UNPADDED else 1
    return -(-rows // step) * step


@functools.cache
def is_available() -> bool:
    """Whether this build of torch has the operator."""
    try:
        return bool(linear(torch.ones(2, 3), torch.ones(4, 3), torch.ones(4)).eq(4).all())
    except (AttributeError, RuntimeError, NotImplementedError):
        return False
