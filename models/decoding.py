"""One new position for each row of a batch: the decoder as a straight line of operators into memory that is kept.

A step of a small model is over within a millisecond, and then what surrounds the matrix products counts: calls of
modules, checks, views, new tensors. Here most of that is done once, when the step is made for a number of rows. What it
computes is what `GPT.forward` computes, up to rounding.

Dimensions as in gpt.py: B rows, C width of the residual stream, H query heads, K key/value heads, G = H / K, D width of
a head, S positions so far, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .cache import KVCache
from .gpt import GPT, Block, Linear
from .norms import LayerNorm, RMSNorm
from .quantization import Int8Linear

SLICES = 4  # MKL multiplies a single row on one thread, and a batch of slices of the matrix on all of them

Operation = Callable[[Tensor], Tensor]


def prepare_decoding(model: GPT) -> None:
    """For a model that only generates from now on: evaluation mode, no gradients, on a CPU in float32 a quick step.

    Called again, it serves weights that have changed since.
    """
    model.eval().requires_grad_(False)
    exact = model.compute_dtype == model.embedding.dtype == torch.float32
    model.step = DecodingStep(model) if exact and model.embedding.device.type == "cpu" else None


def lay_out(model: GPT, by_columns: bool) -> None:
    """Choose how the matrices of a prepared model lie in memory; their shapes and values stay, and so do int8 ones."""
    for matrix in model.hidden_matrices():
        matrix.data = matrix.data.t().contiguous().t() if by_columns else matrix.data.contiguous()
    prepare_decoding(model)


class DecodingStep:
    """Tokens [B, 1] and a cache of B rows -> logits [B, V] in float32; the cache grows by one position.

    Only for inference mode, on a CPU, and for one caller at a time: each step uses the memory of the one before.
    """

    def __init__(self, model: GPT) -> None:
        """Serve the weights of `model` where they lie now."""
        self._model, self._made = model, (0, 0)
        self._layers: list[_Layer] = []
        self._norm = None if model.norm is None else normalization(model.norm)

    def __call__(self, tokens: Tensor, cache: KVCache) -> Tensor:
        """The caller has seen to it that the position fits the context and the cache."""
        model, start = self._model, cache.length
        if self._made != (made := (tokens.shape[0], torch.get_num_threads())):
            self._make(*made)
        x = torch.index_select(model.embedding, 0, tokens.view(-1), out=self._x)
        if model.positions is not None:
            x.add_(model.positions[start])
        rotary = None if model.cos is None else (model.cos[start], model.sin[start])
        scores, weights = x.new_empty(2, *self._groups, start + 1).unbind(0)
        for layer, place in zip(self._layers, cache.places(), strict=True):
            layer(place, rotary, scores, weights)
        cache.length = start + 1
        return model.head_logits(x if self._norm is None else self._norm(x))

    def _make(self, rows: int, threads: int) -> None:
        """Memory and views for so many rows, and products that can be shared between so many threads."""
        model, config = self._model, self._model.config
        self._made, self._x = (rows, threads), torch.empty(rows, config.d_model)
        self._groups = rows * config.kv_heads, config.n_head // config.kv_heads
        self._layers = [_Layer(cast(Block, block), self._x, threads > 1) for block in model.blocks]


class _Layer:
    """A block whose residual stream is x [B, C]: each call adds to it."""

    def __init__(self, block: Block, x: Tensor, sliced: bool) -> None:
        attention, mlp, rows = block.attention, block.mlp, x.shape[0]
        heads, kv_heads, width = attention.heads, attention.kv_heads, attention.width
        projected = x.new_empty(rows, heads + 2 * kv_heads, width)
        self._x, self._post, self._half, self._scale = x, block.post, width // 2, width**-0.5
        # Queries and keys, which norms and rotary positions treat alike.
        self._turned = projected[:, : heads + kv_heads]
        self._keys, self._values = projected[:, heads : heads + kv_heads], projected[:, heads + kv_heads :]
        self._asked = projected[:, :heads].unflatten(1, (kv_heads, -1))
        self._queries = x.new_empty(rows * kv_heads, heads // kv_heads, width)  # [B K, G, D]
        self._mixed = torch.empty_like(self._queries)
        self._attended = self._mixed.view(rows, heads * width)
        self._scaled = self._queries.view_as(self._asked)

        self._qkv = product(attention.qkv, projected.view(rows, -1), sliced)
        self._out = product(attention.out, x, sliced, add=True)
        self._norm = normalization(block.attention_norm)
        self._head_norm = None
        if attention.q_norm is not None and attention.k_norm is not None:
            q, k = attention.q_norm, attention.k_norm
            gain = torch.cat((q.weight.expand(heads, -1), k.weight.expand(kv_heads, -1)))
            self._head_norm = rms_normalization(gain, q.eps, in_place=True)
        self._up = None
        if mlp is not None and block.mlp_norm is not None:
            rounded = isinstance(mlp.up, Int8Linear)
            inner = x.new_empty(rows, mlp.up.weight.shape[0], dtype=torch.bfloat16 if rounded else x.dtype)
            self._up = product(mlp.up, inner, sliced)
            self._activation, self._mlp_norm = mlp.activation, normalization(block.mlp_norm)
            self._down = product(mlp.down, x, sliced, add=True)

    def __call__(
        self,
        place: tuple[Tensor, Tensor, Tensor, Tensor],
        rotary: tuple[Tensor, Tensor] | None,
        scores: Tensor,
        weights: Tensor,
    ) -> None:
        """`place` is of this layer in the cache; cos and sin [D]; scores and weights [B K, G, S], to be overwritten."""
        x, new_key, new_value, keys, values = self._x, *place
        self._qkv(x if self._post else self._norm(x))
        if self._head_norm is not None:
            self._head_norm(self._turned)
        if rotary is not None:
            other = self._turned.roll(self._half, -1)
            self._turned.mul_(rotary[0]).addcmul_(other, rotary[1])
        new_key.copy_(self._keys)
        new_value.copy_(self._values)
        torch.mul(self._asked, self._scale, out=self._scaled)
        torch.bmm(self._queries, keys, out=scores)
        torch.softmax(scores, -1, out=weights)
        torch.bmm(weights, values, out=self._mixed)
        self._out(self._attended)
        if self._post:
            x.copy_(self._norm(x))
        if self._up is not None:
            self._down(self._activation(self._up(x if self._post else self._mlp_norm(x))))
            if self._post:
                x.copy_(self._mlp_norm(x))


# --------------------------------------------------------------------------------------------------------- operations


def product(linear: nn.Module, out: Tensor, sliced: bool, add: bool = False) -> Operation:
    """A linear layer as a function of x [B, in]: it fills `out` [B, out], or with `add` is added to it.

    What it returns is `out`, or for int8 weights into bfloat16 a tensor of its own, which saves a copy.
    """
    if isinstance(linear, Int8Linear):
        return rounded_product(linear, out, add)
    assert isinstance(linear, Linear)
    weight, bias = linear.weight.t(), linear.bias
    if sliced and out.shape[1] % SLICES == 0:
        return sliced_product(weight, bias, out, add)
    if bias is None:
        return lambda x: torch.addmm(out, x, weight, beta=float(add), out=out)
    if add:
        return lambda x: torch.addmm(out.add_(bias), x, weight, out=out)
    return lambda x: torch.addmm(bias, x, weight, out=out)


def sliced_product(weight: Tensor, bias: Tensor | None, out: Tensor, add: bool) -> Operation:
    """The same from a batch of slices: x times weight[:, s] for each slice s of the columns of weight [in, out]."""
    parts = weight.unflatten(1, (SLICES, -1)).transpose(0, 1)  # [SLICES, in, out / SLICES], where it lies
    target = out.unflatten(1, (SLICES, -1)).transpose(0, 1)  # [SLICES, B, out / SLICES]

    def multiply(x: Tensor) -> Tensor:
        if bias is not None:
            out.add_(bias) if add else out.copy_(bias.expand_as(out))
        beta = float(add or bias is not None)
        torch.baddbmm(target, x.expand(SLICES, -1, -1), parts, beta=beta, out=target)
        return out

    return multiply


def rounded_product(linear: Int8Linear, out: Tensor, add: bool) -> Operation:
    """The same from int8 weights; products in bfloat16, sums in float32."""
    weight, scale, bias, padding = linear.weight, linear.scale, linear.bias, (0, linear.padding)
    multiply = torch.ops.aten._weight_int8pack_mm.default

    def rounded(x: Tensor) -> Tensor:
        x = x.bfloat16()
        y = multiply(F.pad(x, padding) if padding[1] else x, weight, scale)
        y = out.add_(y) if add else y if y.dtype == out.dtype else out.copy_(y)
        return y if bias is None else y.add_(bias)

    return rounded


def normalization(norm: nn.Module) -> Operation:
    """A norm of the residual stream as a function that returns a new tensor."""
    if isinstance(norm, RMSNorm):
        return rms_normalization(norm.weight, norm.eps)
    assert isinstance(norm, LayerNorm)
    shape, weight, bias, eps = norm.width, norm.weight, norm.bias, norm.eps
    return lambda x: torch.layer_norm(x, shape, weight, bias, eps)


def rms_normalization(gain: Tensor, eps: float, in_place: bool = False) -> Operation:
    """RMSNorm over n numbers with few operators: sqrt(mean(x^2) + eps) is hypot(|x|, sqrt(n eps)) / sqrt(n)."""
    width = gain.shape[-1]
    floor, gain = gain.new_tensor(math.sqrt(width * eps)), gain * math.sqrt(width)

    def normalize(x: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(x, 2, -1, True).hypot_(floor)
        return (x.div_(length) if in_place else x / length).mul_(gain)

    return normalize
