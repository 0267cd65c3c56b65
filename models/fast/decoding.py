"""The decode step on a CPU: one new position for each row of a batch, in preallocated memory.

A step of a small model takes less than a millisecond, so what surrounds the matrix products counts: calls of modules,
checks, views, new tensors. Here most of that is done once, when the step is prepared for a number of rows. It computes
what `GPT.forward` computes, up to rounding.

That is why it stands beside gpt.py's forward pass, which it repeats. For a token of one row the forward pass takes 1.7
times the processor time with `quick`, 1.4 times with `thorough`, and as much with `nanogpt-char-cpu`, whose block has
fewer small operators (`python tests/benchmarks/decode_step.py`, one core of a Xeon). Only here are int8 and
column-major matrices multiplied by a single row in the fastest way (matrix_vector.py).

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
from .matrix_vector import PARTS, Operation, partial_sums
from .quantization import Int8Linear

_LARGE_HEAD = 1 << 20  # elements of the output layer from which on oneDNN gains more than its call costs


def prepare_decoding(model: GPT) -> None:
    """Prepare a model that only generates from now on: evaluation mode, no gradients, on a CPU in float32 a DecodeStep.

    To be called again after the weights have changed.
    """
    model.eval().requires_grad_(False)
    exact = model.compute_dtype == model.embedding.dtype == torch.float32
    model.step = DecodeStep(model) if exact and model.embedding.device.type == "cpu" else None
    multiply = onednn.linear if model.step and onednn.is_available() else F.linear
    model.multiply = multiply if model.embedding.numel() > _LARGE_HEAD else F.linear
    for module in model.modules():
        if isinstance(module, Linear):
            module.multiply = multiply


def set_weight_layout(model: GPT, column_major: bool) -> None:
    """Store the float32 matrices of a prepared model in column-major or row-major order; shapes and values stay.

    A single row is multiplied by a column-major matrix as in matrix_vector.py.
    """
    for matrix in model.hidden_matrices():
        matrix.data = matrix.data.t().contiguous().t() if column_major else matrix.data.contiguous()
    prepare_decoding(model)


def is_column_major(linear: Linear) -> bool:
    """Whether the weight [out, in] is stored column after column."""
    return linear.weight.t().is_contiguous()


class DecodeStep:
    """Tokens [B, 1] and a cache of B rows -> logits [B, V] in float32; the cache grows by one position.

    Only for inference mode, on a CPU, and for one caller at a time: all steps use the same memory.
    """

    def __init__(self, model: GPT) -> None:
        """The weights are read from where the parameters of `model` are now."""
        self._model, self._rows = model, 0
        self._layers: list[_Layer] = []
        self._head: Operation = model.head_logits
        self._norm = None if model.norm is None else norm_function(model.norm)

    def __call__(self, tokens: Tensor, cache: KVCache) -> Tensor:
        """The caller has checked that the position fits the context and the cache."""
        enabled = mkldnn.enabled
        mkldnn.enabled = False  # torch runs GELU by oneDNN, whose call costs five times what a row needs
        try:
            return self._logits(tokens, cache)
        finally:
            mkldnn.enabled = enabled

    def _logits(self, tokens: Tensor, cache: KVCache) -> Tensor:
        model, start = self._model, cache.length
        if self._rows != tokens.shape[0]:
            self._allocate(tokens.shape[0])
        x = torch.index_select(model.embedding, 0, tokens.view(-1), out=self._x)
        if model.positions is not None:
            x.add_(model.positions[start])
        rotary = None if model.cos is None else (model.cos[start], model.sin[start])
        scores, weights = x.new_empty(2, *self._groups, start + 1).unbind(0)
        for layer, slot in zip(self._layers, cache.slots(), strict=True):
            layer(slot, rotary, scores, weights)
        cache.length = start + 1
        return self._head(x if self._norm is None else self._norm(x))

    def _allocate(self, rows: int) -> None:
        """Memory, views and linear layers for this number of rows."""
        model, config = self._model, self._model.config
        self._rows, self._x = rows, torch.empty(rows, config.d_model)
        self._groups = rows * config.kv_heads, config.n_head // config.kv_heads
        self._layers = [_Layer(cast(Block, block), self._x) for block in model.blocks]
        head = model.int8_head
        self._head = head.operation(rows) if isinstance(head, Int8Linear) else model.head_logits


class _Layer:
    """A block of the decode step; each call adds to the residual stream x [B, C] in place."""

    def __init__(self, block: Block, x: Tensor) -> None:
        attention, mlp, rows = block.attention, block.mlp, x.shape[0]
        heads, kv_heads, width = attention.heads, attention.kv_heads, attention.width
        projected = x.new_empty(rows, heads + 2 * kv_heads, width)
        self._x, self._post, self._half, self._scale = x, block.post, width // 2, width**-0.5
        # QK-norm and rotary positions apply to queries and keys alike.
        self._queries_and_keys = projected[:, : heads + kv_heads]
        self._new = projected[:, heads:].unflatten(1, (2, kv_heads)).transpose(0, 1)  # keys and values, [2, B, K, D]
        self._query_heads = projected[:, :heads].unflatten(1, (kv_heads, -1))
        self._queries = self._query_heads.flatten(0, 1)  # [B K, G, D]; of a single row a view, of several a copy
        self._scaled = self._queries.view_as(self._query_heads)
        self._attention_out = torch.empty_like(self._queries)
        self._merged_heads = self._attention_out.view(rows, heads * width)

        self._qkv = linear_into(attention.qkv, projected.view(rows, -1))
        self._out = linear_into(attention.out, x, add=True)
        self._norm = norm_function(block.attention_norm)
        self._head_norm = None
        if attention.q_norm is not None and attention.k_norm is not None:
            q, k = attention.q_norm, attention.k_norm
            gain = torch.cat((q.weight.expand(heads, -1), k.weight.expand(kv_heads, -1)))
            self._head_norm = rms_norm_function(gain, q.eps, in_place=True)
        self._up = None
        if mlp is not None and block.mlp_norm is not None:
            self._up = linear_into(mlp.up, x.new_empty(rows, mlp.up.out_features), may_allocate=True)
            self._activation, self._mlp_norm = mlp.activation, norm_function(block.mlp_norm)
            self._down = linear_into(mlp.down, x, add=True)

    def __call__(
        self,
        slot: tuple[Tensor, Tensor, Tensor],
        rotary: tuple[Tensor, Tensor] | None,
        scores: Tensor,
        weights: Tensor,
    ) -> None:
        """`slot` as KVCache.slots has it; rotary: cos and sin [D]; scores and weights [B K, G, S] are overwritten."""
        x, new, keys, values = self._x, *slot
        self._qkv(x if self._post else self._norm(x))
        if self._head_norm is not None:
            self._head_norm(self._queries_and_keys)
        if rotary is not None:
            swapped = self._queries_and_keys.roll(self._half, -1)
            self._queries_and_keys.mul_(rotary[0]).addcmul_(swapped, rotary[1])
        new.copy_(self._new)
        torch.mul(self._query_heads, self._scale, out=self._scaled)
        torch.bmm(self._queries, keys, out=scores)
        torch.softmax(scores, -1, out=weights)
        torch.bmm(weights, values, out=self._attention_out)
        self._out(self._merged_heads)
        if self._post:
            x.copy_(self._norm(x))
        if self._up is not None:
            self._down(self._activation(self._up(x if self._post else self._mlp_norm(x))))
            if self._post:
                x.copy_(self._mlp_norm(x))


# --------------------------------------------------------------------------------------------------------- operations


def linear_into(linear: nn.Module, out: Tensor, add: bool = False, may_allocate: bool = False) -> Operation:
    """A linear layer as a function of x [B, in] that returns `out` [B, out]: overwritten, or with `add` added to.

    With `may_allocate` the function may return a new tensor instead, where that saves a copy.
    """
    if isinstance(linear, Int8Linear):
        if len(out) == 1 and (sums := linear.partial_sums()):
            return matvec_into(sums, linear.bias, out, add)
        multiply = linear.operation(len(out))
        return multiply if may_allocate and linear.bias is None else matmul_into(multiply, linear.bias, out, add)
    assert isinstance(linear, Linear)
    multiply, weight, bias = linear.multiply, linear.weight, linear.bias
    if len(out) == 1 and is_column_major(linear):
        return matvec_into(partial_sums(weight.t()), bias, out, add)
    if multiply is not F.linear:
        if may_allocate:
            return lambda x: multiply(x, weight, bias)
        return matmul_into(lambda x: multiply(x, weight, None), bias, out, add)
    return addmm_into(weight.t(), bias, out, add)


def matmul_into(multiply: Operation, bias: Tensor | None, out: Tensor, add: bool) -> Operation:
    """The same from a product `multiply` without a bias that returns a new tensor."""
    if add:
        return lambda x: (out if bias is None else out.add_(bias)).add_(multiply(x))
    if bias is None:
        return lambda x: out.copy_(multiply(x))
    return lambda x: torch.add(multiply(x), bias, out=out)


def addmm_into(weight: Tensor, bias: Tensor | None, out: Tensor, add: bool) -> Operation:
    """The same by torch.addmm; weight [in, out]."""
    if bias is None:
        return lambda x: torch.addmm(out, x, weight, beta=float(add), out=out)
    if add:
        return lambda x: torch.addmm(out.add_(bias), x, weight, out=out)
    return lambda x: torch.addmm(bias, x, weight, out=out)


def matvec_into(sums: Operation, bias: Tensor | None, out: Tensor, add: bool) -> Operation:
    """The same for one row, from partial sums: `sums` maps x [1, in] to [out, PARTS]; `out` is [1, out]."""
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


def norm_function(norm: nn.Module) -> Operation:
    """A norm of the residual stream as a function that returns a new tensor."""
    if isinstance(norm, RMSNorm):
        return rms_norm_function(norm.weight, norm.eps)
    assert isinstance(norm, LayerNorm)
    shape, weight, bias, eps = norm.width, norm.weight, norm.bias, norm.eps
    return lambda x: torch.layer_norm(x, shape, weight, bias, eps)


def rms_norm_function(gain: Tensor, eps: float, in_place: bool = False) -> Operation:
    """RMSNorm over n elements with few operators: sqrt(mean(x^2) + eps) is hypot(|x|, sqrt(n eps)) / sqrt(n)."""
    width = gain.shape[-1]
    floor, gain = gain.new_tensor(math.sqrt(width * eps)), gain * math.sqrt(width)

    def normalize(x: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(x, 2, -1, True).hypot_(floor)
        return (x.div_(length) if in_place else x / length).mul_(gain)

    return normalize
