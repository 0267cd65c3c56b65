"""The first half of a block on a CPU, x + attention(RMSNorm(x)), as one function with a gradient of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..native.structs import Work
from ..native.train import compute
from .rms_norm import rms_norm, rms_norm_backward


@dataclass(frozen=True)
class HeadShape:
    """What of the configuration attention needs, and whether x is added to its result."""

    heads: int
    kv_heads: int
    width: int
    eps: float
    add: bool


class FusedAttention(torch.autograd.Function):
    """out(attention(norm(x))), causal over all of x, with x added where the shape says so.

    The gain of the norm is multiplied into the weight that follows; those of queries and keys, with the scale of the
    scores, into one factor for each number of a head.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        gain: Tensor,
        qkv: Tensor,
        out: Tensor,
        q_gain: Tensor | None,
        k_gain: Tensor | None,
        rotary: tuple[Tensor, Tensor] | None,
        shape: HeadShape,
    ) -> Tensor:  # pyright: ignore
        """Of x [B, T, C], gain [C], qkv [(H + 2K) D, C], out [C, H D], the gains of queries and keys [D]; all float32.

        `rotary` are cosines and signed sines [T, D].
        """
        batch, length, width = x.shape
        rows, weight = x.reshape(-1, width), qkv * gain
        normalized, inverse = rms_norm(rows, shape.eps)
        heads = normalized @ weight.t()
        factors = _factors(x, q_gain, k_gain, shape)
        common = _common(batch, length, q_gain is not None, heads, factors, rotary, shape)
        sizes = [len(rows) * shape.heads * shape.width] + 2 * [len(rows) * shape.kv_heads * shape.width]
        group = shape.heads // shape.kv_heads
        q, k, v = (part.view(batch * shape.kv_heads, -1, shape.width) for part in x.new_empty(sum(sizes)).split(sizes))
        compute(Work.HEADS, len(rows), out=q, out2=k, out3=v, **common)
        weights = torch.bmm(q, k.mT)  # [B K, T H / K, T]
        compute(
            Work.SOFTMAX, len(weights) * length * group, length=length, heads=shape.heads, kv_heads=shape.kv_heads,
            out=weights,
        )  # fmt: skip
        attended = _rows_of_heads(torch.bmm(weights, v), batch, length, shape)
        y = torch.addmm(rows, attended, out.t()) if shape.add else attended @ out.t()
        cos, sin = rotary or (None, None)
        ctx.save_for_backward(
            normalized, inverse, gain, qkv, weight, out, heads, factors, cos, sin, q, k, v, weights, attended
        )
        ctx.shape, ctx.normed = shape, q_gain is not None
        return y.view(x.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore
        """Through the products, the softmax and the heads back to x, one after the other."""
        normalized, inverse, gain, qkv, weight, out, heads, factors, cos, sin, q, k, v, weights, attended = (
            ctx.saved_tensors
        )
        shape: HeadShape = ctx.shape
        batch, length, _ = gradient.shape
        given = gradient.reshape(normalized.shape).contiguous()
        back = _heads_of_rows(given @ out, batch, length, shape)
        scores = torch.bmm(back, v.mT)
        compute(
            Work.SOFTMAX_BACKWARD, len(scores) * scores.shape[1], length=length, heads=shape.heads,
            kv_heads=shape.kv_heads, a=weights, out=scores,
        )  # fmt: skip
        made = q.new_empty(q.numel() + 2 * k.numel())
        q_gradient, k_gradient, v_gradient = (
            part.view_as(whole)
            for part, whole in zip(made.split([q.numel(), k.numel(), v.numel()]), (q, k, v), strict=True)
        )
        torch.bmm(scores, k, out=q_gradient)
        torch.bmm(scores.mT, q, out=k_gradient)
        torch.bmm(weights.mT, back, out=v_gradient)
        heads_gradient, sums = torch.empty_like(heads), q.new_empty(batch, *factors.shape)
        common = _common(batch, length, ctx.normed, heads, factors, None if cos is None else (cos, sin), shape)
        compute(Work.HEADS_BACKWARD, batch, e=made, out=heads_gradient, out2=sums, **common)
        q_sums, k_sums = sums.sum(0).split([shape.heads, shape.kv_heads])
        weight_gradient = heads_gradient.t() @ normalized
        x_gradient = rms_norm_backward(heads_gradient @ weight, normalized, inverse, given if shape.add else None)
        return (
            x_gradient.view(gradient.shape),
            (weight_gradient * qkv).sum(0),
            weight_gradient.mul_(gain),
            given.t() @ attended,
            q_sums.sum(0).mul_(shape.width**-0.5) if ctx.normed else None,
            k_sums.sum(0) if ctx.normed else None,
            None,
            None,
        )


def _factors(x: Tensor, q_gain: Tensor | None, k_gain: Tensor | None, shape: HeadShape) -> Tensor:
    """What queries and keys are multiplied by: [H + K, D]."""
    factors = x.new_ones(shape.heads + shape.kv_heads, shape.width)
    if q_gain is not None and k_gain is not None:
        factors[: shape.heads], factors[shape.heads :] = q_gain, k_gain
    factors[: shape.heads] *= shape.width**-0.5
    return factors


def _common(
    batch: int,
    length: int,
    normed: bool,
    heads: Tensor,
    factors: Tensor,
    rotary: tuple[Tensor, Tensor] | None,
    shape: HeadShape,
) -> dict[str, Any]:
    """What train.c is told forwards and backwards."""
    cos, sin = rotary or (None, None)
    return {
        "batch": batch, "length": length, "width": shape.width, "heads": shape.heads, "kv_heads": shape.kv_heads,
        "rotary": rotary is not None, "normed": normed, "eps": shape.eps, "a": heads, "b": factors, "c": cos, "d": sin,
    }  # fmt: skip


def _rows_of_heads(x: Tensor, batch: int, length: int, shape: HeadShape) -> Tensor:
    """[B K, T H / K, D] -> [B T, H D]."""
    if shape.kv_heads == 1:
        return x.view(batch * length, -1)
    x = x.view(batch, shape.kv_heads, length, -1).transpose(1, 2)
    return x.reshape(batch * length, -1)


def _heads_of_rows(x: Tensor, batch: int, length: int, shape: HeadShape) -> Tensor:
    """[B T, H D] -> [B K, T H / K, D]."""
    if shape.kv_heads > 1:
        x = x.view(batch, length, shape.kv_heads, -1).transpose(1, 2)
    return x.reshape(batch * shape.kv_heads, -1, shape.width)
