"""Cross entropy, for a large vocabulary on a GPU by a kernel of ours."""

from __future__ import annotations

from types import ModuleType
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from .kernels import working_kernels

_LARGE = 4096  # logits from which on the kernel saves more than the two seconds that it takes to compile


def cross_entropy(logits: Tensor, targets: Tensor, reduction: str = "mean") -> Tensor:
    """In nats, computed in float32; logits [N, V], targets [N]; the "mean", the "sum", or "none": [N].

    A target of -100 is left out; with "mean" there may be none.
    """
    kernel = working_kernels("cross_entropy", logits) if logits.shape[1] >= _LARGE else None
    if kernel is None:
        return F.cross_entropy(logits.float(), targets, reduction=reduction)
    losses = cast(Tensor, FusedCrossEntropy.apply(kernel, logits, targets))
    return losses if reduction == "none" else losses.mean() if reduction == "mean" else losses.sum()


class FusedCrossEntropy(torch.autograd.Function):
    """The losses [N] of each row: the logits are read once, and once more for their gradient, which has their dtype.

    torch casts them to float32, and then reads or writes six tensors of that size.
    """

    @staticmethod
    def forward(ctx: Any, kernel: ModuleType, logits: Tensor, targets: Tensor) -> Tensor:  # pyright: ignore
        """Logits [N, V] and targets [N], both contiguous."""
        losses, log_sums = kernel.forward(logits, targets)
        ctx.kernel = kernel
        ctx.save_for_backward(logits, targets, log_sums)
        return losses

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, None]:  # pyright: ignore
        """(softmax - one_hot(target)) times the gradient [N] of each row."""
        return None, ctx.kernel.backward(*ctx.saved_tensors, gradient), None
