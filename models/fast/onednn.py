"""Products of several rows with a weight matrix by oneDNN, which torch brings along for compiled models.

Left alone, torch multiplies in float32 by MKL, which on AMD's processors makes no use of the wide vectors: there oneDNN
takes half the time or less. It differentiates nothing, so it serves models that only generate.

oneDNN makes a program for each number of rows, and keeps a thousand of them at half a megabyte each. So where there are
more than a few, rows of zeros are added, and numbers that are near to each other have the same program.
"""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor

_FEW = 16


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """As F.linear for a CPU: x [..., in], weight [out, in], fastest where that lies by columns."""
    multiply = torch.ops.mkldnn._linear_pointwise.default
    rows = x.shape[:-1].numel()
    if (added := program_rows(rows) - rows) == 0:
        return multiply(x, weight, bias, "none", [], "")
    longer = F.pad(x.reshape(rows, -1), (0, 0, 0, added))
    return multiply(longer, weight, bias, "none", [], "")[:rows].view(*x.shape[:-1], -1)


def program_rows(rows: int) -> int:
    """How many rows the program has that multiplies `rows`: of a large number only four binary digits count."""
    step = 1 << rows.bit_length() - 4 if rows > _FEW else 1
    return -(-rows // step) * step


@functools.cache
def is_available() -> bool:
    """Whether this build of torch has it."""
    try:
        return bool(linear(torch.ones(2, 3), torch.ones(4, 3), torch.ones(4)).eq(4).all())
    except (AttributeError, RuntimeError, NotImplementedError):
        return False
