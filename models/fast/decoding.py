"""One new position for each row of a batch: the decoder as a straight line of operators into memory that is kept.

A step of a small model is over within a millisecond, and then what surrounds the matrix products counts: calls of
modules, checks, views, new tensors. Here most of that is done once, when the step is made for a number of rows. What it
computes is what `GPT.forward` computes, up to rounding.

That is why it stands beside gpt.py's forward pass, which it repeats. For a token of one row the forward pass takes 1.7
times the processor time with `quick`, 1.4 times with `thorough`, and as much with `nanogpt-char-cpu`, whose block has
fewer small operators (`python tests/benchmarks/decode_step.py`, one core of a Xeon). Matrices in int8 or by columns are
multiplied here alone in the way that is quick for one row.

Dimensions as in gpt.py: B rows, C width of the residual stream, H query heads, K key/value heads, G = H / K, D width of
a head, S positions so far, V vocabulary.
"""

from __future__ import annotations

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.backends import mkldnn

from ..cache import KVCache
from ..gpt import GPT, Block, Linear
from ..norms import LayerNorm, RMSNorm
from . import onednn
from .quantization import Int8Linear
from .weighted_sums import PARTS, Operation, partial_sums

_LARGE_HEAD = 1 << 20  # numbers from which on the vocabulary is worth what a call of oneDNN costs


def prepare_decoding(model: GPT) -> None:
    """For a model that only generates from now on: evaluation mode, no gradients, on a CPU in float32 a quick step.

    Called again, it serves weights that have changed since.
    """
    model.eval().requires_grad_(False)
    exact = model.compute_dtype == model.embedding.dtype == torch.float32
    model.step = DecodingStep(model) if exact and model.embedding.device.type == "cpu" else None
    quick = onednn.linear if model.step and onednn.is_available() else F.linear
    model.multiply = quick if model.embedding.numel() > _LARGE_HEAD else F.linear
    for module in model.modules():
        if isinstance(module, Linear):
            module.multiply = quick


def lay_out(model: GPT, by_columns: bool) -> None:
    """Store the float32 matrices of a prepared model by columns or by rows; their shapes and values stay.

    By columns a single row is multiplied in another way, too: by weighted sums.
    """
    for matrix in model.hidden_matrices():
        matrix.data = matrix.data.t().contiguous().t() if by_columns else matrix.data.contiguous()
    prepare_decoding(model)


def lies_by_columns(linear: Linear) -> bool:
    """Whether its matrix [out, in] is stored column after column."""
    return linear.weight.t().is_contiguous()


class DecodingStep:
    """Tokens [B, 1] and a cache of B rows -> logits [B, V] in float32; the cache grows by one position.

    Only for inference mode, on a CPU, and for one caller at a time: each step uses the memory of the one before.
    """

    def __init__(self, model: GPT) -> None:
        """Serve the weights of `model` where they lie now."""
        self._model, self._rows = model, 0
        self._layers: list[_Layer] = []
        self._head: Operation = model.head_logits
        self._norm = None if model.norm is None else normalization(model.norm)

    def __call__(self, tokens: Tensor, cache: KVCache) -> Tensor:
        """The caller has seen to it that the position fits the context and the cache."""
        enabled = mkldnn.enabled
        mkldnn.enabled = False  # torch gives GELU to oneDNN, which takes five times as long to begin as a row needs
        try:
            return self._logits(tokens, cache)
        finally:
            mkldnn.enabled = enabled

    def _logits(self, tokens: Tensor, cache: KVCache) -> Tensor:
        model, start = self._model, cache.length
        if self._rows != tokens.shape[0]:
            self._make(tokens.shape[0])
        x = torch.index_select(model.embedding, 0, tokens.view(-1), out=self._x)
        if model.positions is not None:
            x.add_(model.positions[start])
        rotary = None if model.cos is None else (model.cos[start], model.sin[start])
        scores, weights = x.new_empty(2, *self._groups, start + 1).unbind(0)
        for layer, place in zip(self._layers, cache.places(), strict=True):
            layer(place, rotary, scores, weights)
        cache.length = start + 1
        return self._head(x if self._norm is None else self._norm(x))

    def _make(self, rows: int) -> None:
        """Memory, views and products for so many rows."""
        model, config = self._model, self._model.config
        self._rows, self._x = rows, torch.empty(rows, config.d_model)
        self._groups = rows * config.kv_heads, config.n_head // config.kv_heads
        self._layers = [_Layer(cast(Block, block), self._x) for block in model.blocks]
        head = model.rounded_head
        self._head = head.operation(rows) if isinstance(head, Int8Linear) else model.head_logits


class _Layer:
    """A block whose residual stream is x [B, C]: each call adds to it."""

    def __init__(self, block: Block, x: Tensor) -> None:
        attention, mlp, rows = block.attention, block.mlp, x.shape[0]
        heads, kv_heads, width = attention.heads, attention.kv_heads, attention.width
        projected = x.new_empty(rows, heads + 2 * kv_heads, width)
        self._x, self._post, self._half, self._scale = x, block.post, width // 2, width**-0.5
        # Queries and keys, which norms and rotary positions treat alike.
        self._turned = projected[:, : heads + kv_heads]
        self._new = projected[:, heads:].unflatten(1, (2, kv_heads)).transpose(0, 1)  # keys and values, [2, B, K, D]
        self._asked = projected[:, :heads].unflatten(1, (kv_heads, -1))
        self._queries = self._asked.flatten(0, 1)  # [B K, G, D]: of a single row in the place of what was projected
        self._scaled = self._queries.view_as(self._asked)
        self._mixed = torch.empty_like(self._queries)
        self._attended = self._mixed.view(rows, heads * width)

        self._qkv = product(attention.qkv, projected.view(rows, -1))
        self._out = product(attention.out, x, add=True)
        self._norm = normalization(block.attention_norm)
        self._head_norm = None
        if attention.q_norm is not None and attention.k_norm is not None:
            q, k = attention.q_norm, attention.k_norm
            gain = torch.cat((q.weight.expand(heads, -1), k.weight.expand(kv_heads, -1)))
            self._head_norm = rms_normalization(gain, q.eps, in_place=True)
        self._up = None
        if mlp is not None and block.mlp_norm is not None:
            self._up = product(mlp.up, x.new_empty(rows, mlp.up.out_features), fresh=True)
            self._activation, self._mlp_norm = mlp.activation, normalization(block.mlp_norm)
            self._down = product(mlp.down, x, add=True)

    def __call__(
        self,
        place: tuple[Tensor, Tensor, Tensor],
        rotary: tuple[Tensor, Tensor] | None,
        scores: Tensor,
        weights: Tensor,
    ) -> None:
        """`place` is of this layer in the cache; cos and sin [D]; scores and weights [B K, G, S], to be overwritten."""
        x, new, keys, values = self._x, *place
        self._qkv(x if self._post else self._norm(x))
        if self._head_norm is not None:
            self._head_norm(self._turned)
        if rotary is not None:
            other = self._turned.roll(self._half, -1)
            self._turned.mul_(rotary[0]).addcmul_(other, rotary[1])
        new.copy_(self._new)
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


def product(linear: nn.Module, out: Tensor, add: bool = False, fresh: bool = False) -> Operation:
    """A linear layer as a function of x [B, in] that returns `out` [B, out], filled, or with `add` added to.

    With `fresh` it may return a tensor of its own instead, where that saves a copy.
    """
    if isinstance(linear, Int8Linear):
        if len(out) == 1 and (sums := linear.partial_sums()):
            return summed_product(sums, linear.bias, out, add)
        multiply = linear.operation(len(out))
        return multiply if fresh and linear.bias is None else filling(multiply, linear.bias, out, add)
    assert isinstance(linear, Linear)
    multiply, weight, bias = linear.multiply, linear.weight, linear.bias
    if len(out) == 1 and lies_by_columns(linear):
        return summed_product(partial_sums(weight.t()), bias, out, add)
    if multiply is not F.linear:
        if fresh:
            return lambda x: multiply(x, weight, bias)
        return filling(lambda x: multiply(x, weight, None), bias, out, add)
    return matrix_product(weight.t(), bias, out, add)


def filling(multiply: Operation, bias: Tensor | None, out: Tensor, add: bool) -> Operation:
    """The same from a product that knows neither the bias nor `out`."""
    if add:
        return lambda x: (out if bias is None else out.add_(bias)).add_(multiply(x))
    if bias is None:
        return lambda x: out.copy_(multiply(x))
    return lambda x: torch.add(multiply(x), bias, out=out)


def matrix_product(weight: Tensor, bias: Tensor | None, out: Tensor, add: bool) -> Operation:
    """The same by torch's own product; weight [in, out]."""
    if bias is None:
        return lambda x: torch.addmm(out, x, weight, beta=float(add), out=out)
    if add:
        return lambda x: torch.addmm(out.add_(bias), x, weight, out=out)
    return lambda x: torch.addmm(bias, x, weight, out=out)


def summed_product(sums: Operation, bias: Tensor | None, out: Tensor, add: bool) -> Operation:
    """The same for one row, from its product in parts: `sums` makes x [1, in] to [out, PARTS]; `out` is [1, out]."""
    target, ones = out[0], torch.ones(PARTS)
    if add:
        if bias is None:
            return lambda x: target.addmv_(sums(x), ones)
        return lambda x: target.add_(bias).addmv_(sums(x), ones)
    start = torch.zeros_like(target) if bias is None else bias

    def multiply(x: Tensor) -> Tensor:
        torch.addmv(start, sums(x), ones, out=target)
        return out

    return multiply


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
