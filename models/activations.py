"""What stands between the two products of the MLP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable


class FusedSwiGLU(torch.autograd.Function):
    """SwiGLU for training on a CPU: torch would make the gradients of both halves, and copy them beside each other."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor) -> Tensor:  # pyright: ignore
        """[..., 2F] -> [..., F]."""
        gate, up = x.chunk(2, dim=-1)
        opened = F.silu(gate)
        ctx.save_for_backward(x, opened)
        return opened * up

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # pyright: ignore
        """Each half goes to its place in the gradient [..., 2F]."""
        x, opened = ctx.saved_tensors
        gate, up = x.chunk(2, dim=-1)
        whole = torch.empty_like(x)
        of_gate, of_up = whole.chunk(2, dim=-1)
        torch.mul(gradient, opened, out=of_up)
        torch.ops.aten.silu_backward.grad_input(gradient * up, gate, grad_input=of_gate)
        return whole


def swiglu(x: Tensor) -> Tensor:
    """[..., 2F] -> [..., F]: the first half gates the second (Shazeer, 2020)."""
    if x.device.type == "cpu" and torch.is_grad_enabled():
        return cast(Tensor, FusedSwiGLU.apply(x))
    gate, up = x.chunk(2, dim=-1)
    return F.silu(gate) * up


def squared_relu(x: Tensor) -> Tensor:
    """ReLU(x)^2, of "Primer" (So et al., 2021)."""
    return F.relu(x).square()


def gelu_tanh(x: Tensor) -> Tensor:
    """GELU by its tanh approximation, as GPT-2 has it."""
    return F.gelu(x, approximate="tanh")


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu, "gelu_tanh": gelu_tanh, "relu": F.relu, "relu2": squared_relu, "swiglu": swiglu,
}  # fmt: skip
