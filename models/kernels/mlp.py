"""The second half of a block on a CPU, x + MLP(RMSNorm(x)), as one function with a gradient of its own."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..native.structs import Work
from ..native.train import compute
from .rms_norm import rms_norm, rms_norm_backward

aten = torch.ops.aten


class FusedMLP(torch.autograd.Function):
    """down(activation(up(norm(x)))), with x added where `add` says so.

    The gain of the norm is multiplied into the weight that follows, which is smaller than the activations.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, gain: Tensor, up: Tensor, down: Tensor, eps: float, activation: str, add: bool
    ) -> Tensor:  # pyright: ignore
        """Of x [B, T, C], gain [C], up [F or 2F, C], down [C, F]; result [B, T, C]; all float32."""
        rows, weight = x.reshape(-1, x.shape[-1]), up * gain
        normalized, inverse = rms_norm(rows, eps)
        hidden = normalized @ weight.t()
        active = _activate(hidden, activation)
        y = torch.addmm(rows, active, down.t()) if add else active @ down.t()
        ctx.save_for_backward(normalized, inverse, hidden, gain, up, weight, down)
        ctx.activation, ctx.add = activation, add
        return y.view(x.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore
        """With n = x / rms(x), u = n W' and h = activation(u): the gradients of h, u, n and x, one after the other."""
        normalized, inverse, hidden, gain, up, weight, down = ctx.saved_tensors
        given = gradient.reshape(normalized.shape).contiguous()
        active, hidden_gradient = _activate_backward(given @ down, hidden, ctx.activation)
        weight_gradient = hidden_gradient.t() @ normalized
        x_gradient = rms_norm_backward(hidden_gradient @ weight, normalized, inverse, given if ctx.add else None)
        gain_gradient = (weight_gradient * up).sum(0)
        return (
            x_gradient.view(gradient.shape), gain_gradient, weight_gradient.mul_(gain), given.t() @ active,
            None, None, None,
        )  # fmt: skip


def _activate(x: Tensor, activation: str) -> Tensor:
    """[N, F or 2F] -> [N, F]."""
    match activation:
        case "swiglu":
            active = x.new_empty(len(x), x.shape[1] // 2)
            compute(Work.SWIGLU, len(x), width=active.shape[1], a=x, out=active)
            return active
        case "relu2":
            return aten.relu(x).square_()
        case "relu":
            return aten.relu(x)
        case _:
            return aten.gelu(x, approximate="tanh" if activation == "gelu_tanh" else "none")


def _activate_backward(gradient: Tensor, x: Tensor, activation: str) -> tuple[Tensor, Tensor]:
    """The activations of x once more, and the gradient of x; `gradient` may be overwritten."""
    match activation:
        case "swiglu":
            active, x_gradient = torch.empty_like(gradient), torch.empty_like(x)
            compute(
                Work.SWIGLU_BACKWARD, len(x), width=active.shape[1], a=x, b=gradient, out=x_gradient, out2=active
            )  # fmt: skip
            return active, x_gradient
        case "relu2":
            positive = aten.relu(x)
            return positive.square(), gradient.mul_(positive).mul_(2)
        case "relu":
            return aten.relu(x), aten.threshold_backward(gradient, x, 0)
        case _:
            approximate = "tanh" if activation == "gelu_tanh" else "none"
            return aten.gelu(x, approximate=approximate), aten.gelu_backward(gradient, x, approximate=approximate)
