"""Cross entropy: a program reads a row of logits, a block of columns at a time."""

# pyright: reportMissingImports=false, reportIndexIssue=false
# Triton is not installed where types are checked, and its kernels are subscripted with their grid.

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

_BLOCK = 4096  # columns at a time
_LOWEST = tl.constexpr(-1e30)  # below every logit, and finite: the difference of two infinities is no number
_IGNORED = tl.constexpr(-100)


def check(device: torch.device) -> None:
    """Raises where the kernels cannot be compiled, or compute something else than torch."""
    logits = torch.linspace(-9, 9, 4 * 80, device=device).view(4, 80)
    logits[:, 70:] = -float("inf")
    targets = torch.tensor([0, 69, 7, -100], device=device)
    (losses, log_sums), expected = forward(logits, targets), logits.log_softmax(-1)
    found = backward(logits, targets, log_sums, torch.ones_like(losses))[:3]
    gradient = expected[:3].exp() - torch.nn.functional.one_hot(targets[:3], 80)
    chosen = -expected[:3].gather(1, targets[:3, None])[:, 0]
    if not (torch.allclose(losses[:3], chosen, atol=1e-4) and torch.allclose(found, gradient, atol=1e-4)):
        raise RuntimeError("the kernel of the cross entropy computes something else than torch")


def forward(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """The losses and the logarithms of the sums of exponentials, both [N] float32, of logits [N, V]."""
    n, columns = logits.shape
    losses, log_sums = torch.empty(2, n, device=logits.device)
    _forward[(n,)](logits, targets, losses, log_sums, columns, BLOCK=_block(columns), num_warps=8)
    return losses, log_sums


def backward(logits: Tensor, targets: Tensor, log_sums: Tensor, gradient: Tensor) -> Tensor:
    """The gradient of the logits, from that of the losses [N]."""
    n, columns = logits.shape
    block, result = _block(columns), torch.empty_like(logits)
    grid = (n, triton.cdiv(columns, block))
    _backward[grid](result, logits, targets, log_sums, gradient, gradient.stride(0), columns, BLOCK=block, num_warps=8)
    return result


def _block(columns: int) -> int:
    return min(_BLOCK, triton.next_power_of_2(columns))


@triton.jit
def _forward(logits, targets, losses, log_sums, n_columns: tl.constexpr, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    # a largest logit and a sum for each place in a block; they are put together at the end
    largest = tl.full((BLOCK,), _LOWEST, tl.float32)
    total = tl.zeros((BLOCK,), tl.float32)
    for start in range(0, n_columns, BLOCK):
        columns = start + tl.arange(0, BLOCK)
        x = tl.load(logits + row * n_columns + columns, mask=columns < n_columns, other=-float("inf")).to(tl.float32)
        larger = tl.maximum(largest, x)
        total = total * tl.exp(largest - larger) + tl.exp(x - larger)
        largest = larger
    highest = tl.max(largest, 0)
    log_sum = highest + tl.log(tl.sum(total * tl.exp(largest - highest), 0))
    target = tl.load(targets + row)
    counted = target != _IGNORED
    chosen = tl.load(logits + row * n_columns + target, mask=counted, other=0.0).to(tl.float32)
    tl.store(losses + row, tl.where(counted, log_sum - chosen, 0.0))
    tl.store(log_sums + row, log_sum)


@triton.jit
def _backward(
    result, logits, targets, log_sums, gradient, gradient_stride, n_columns: tl.constexpr, BLOCK: tl.constexpr
):
    row = tl.program_id(0).to(tl.int64)
    columns = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    there = columns < n_columns
    target = tl.load(targets + row)
    scale = tl.load(gradient + row * gradient_stride)
    scale = tl.where(target == _IGNORED, 0.0, scale)
    x = tl.load(logits + row * n_columns + columns, mask=there, other=-float("inf")).to(tl.float32)
    probability = tl.exp(x - tl.load(log_sums + row))
    change = (probability - tl.where(columns == target, 1.0, 0.0)) * scale
    tl.store(result + row * n_columns + columns, change.to(result.dtype.element_ty), mask=there)
