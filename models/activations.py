"""The activation functions of the MLP, between its two linear layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable


class FusedSwiGLU(torch.autograd.Function):
    """SwiGLU for training on a CPU, where autograd would concatenate the gradients of both halves."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor) -> Tensor:  # pyright: ignore
        """[..., 2F] -> [..., F]."""
        gate, up = x.chunk(2, dim=-1)
        gated = F.silu(gate)
        ctx.save_for_backward(x, gated)
        return gated * up

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # pyright: ignore
        """The gradients of both halves are written into one tensor [..., 2F]."""
        x, gated = ctx.saved_tensors
        gate, up = x.chunk(2, dim=-1)
        x_gradient = torch.empty_like(x)
        gate_gradient, up_gradient = x_gradient.chunk(2, dim=-1)
        torch.mul(gradient, gated, out=up_gradient)
        torch.ops.aten.silu_backward.grad_input(gradient * up, gate, grad_input=gate_gradient)
        return x_gradient


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
    """GELU in the tanh approximation that GPT-2 uses."""
    return F.gelu(x, approximate="tanh")


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu, "gelu_tanh": gelu_tanh, "relu": F.relu, "relu2": squared_relu, "swiglu": swiglu,
}  # fmt: skip
