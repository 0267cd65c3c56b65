"""LayerNorm and RMSNorm; gains and biases are float32 master weights, cast to the activations' dtype."""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable

from .config import ModelConfig


class LayerNorm(nn.Module):
    """LayerNorm with an optional bias."""

    def __init__(self, width: int, eps: float, bias: bool) -> None:
        super().__init__()
        self.width, self.eps = (width,), eps
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """[..., width] -> the same shape and dtype."""
        bias = None if self.bias is None else self.bias.to(x.dtype)
        return F.layer_norm(x, self.width, self.weight.to(x.dtype), bias, self.eps)


class FusedRMSNorm(torch.autograd.Function):
    """RMSNorm for a CPU, with a backward of its own: torch runs more operators there and takes twice the time."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, weight: Tensor, eps: float) -> Tensor:  # pyright: ignore
        """Both of one dtype; x [..., width], weight [width]."""
        exact = torch.promote_types(x.dtype, torch.float32)
        norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=exact)
        inverse = norm.square_().mul_(1 / x.shape[-1]).add_(eps).rsqrt_().to(x.dtype)
        normalized = x * inverse
        ctx.save_for_backward(normalized, inverse, weight)
        return normalized * weight

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:  # pyright: ignore
        """With n = x / rms(x): dx = (g w - n mean(g w n)) / rms(x) and dw = sum(g n)."""
        normalized, inverse, weight = ctx.saved_tensors
        width = weight.shape[0]
        products = (normalized * gradient).reshape(-1, width)
        means = (products @ (weight / width)[:, None]).view(inverse.shape)
        return torch.addcmul(gradient * weight, normalized, means, value=-1).mul_(inverse), products.sum(0), None


class RMSNorm(nn.Module):
    """Division by the root mean square, then a learned gain: no mean, no bias."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.width, self.eps = (width,), eps
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """[..., width] -> the same shape and dtype."""
        weight = self.weight.to(x.dtype)
        if x.device.type == "cpu":
            return cast(Tensor, FusedRMSNorm.apply(x, weight, self.eps))
        return F.rms_norm(x, self.width, weight, self.eps)


def build_norm(config: ModelConfig) -> nn.Module:
    """The norm that the configuration names, over the residual stream."""
    if config.norm == "layer":
        return LayerNorm(config.d_model, config.norm_eps, config.bias)
    return RMSNorm(config.d_model, config.norm_eps)
