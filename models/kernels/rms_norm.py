"""Division by the root mean square, without a gain, and its gradient: by train.c."""

from __future__ import annotations

import torch
from torch import Tensor

from ..native.structs import Work
from ..native.train import compute


def rms_norm(rows: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """The rows x / rms(x) and 1 / rms(x): rows [N, C] -> [N, C] and [N]."""
    rows = rows.contiguous()
    normalized, inverse = torch.empty_like(rows), rows.new_empty(len(rows))
    compute(Work.NORM, len(rows), width=rows.shape[1], eps=eps, a=rows, out=normalized, out2=inverse)
    return normalized, inverse


def rms_norm_backward(gradient: Tensor, normalized: Tensor, inverse: Tensor, added: Tensor | None) -> Tensor:
    """The gradient of x from that of x / rms(x), and `added` to it; [N, C], written over `gradient`."""
    compute(
        Work.NORM_BACKWARD, len(gradient), width=gradient.shape[1], a=gradient, b=normalized, c=inverse, d=added,
        out=gradient,
    )  # fmt: skip
    return gradient
