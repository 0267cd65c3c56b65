"""The decode step on a CPU: one new position for each row of a batch, by the compiled file where there is one.

A step of a small model takes less than a millisecond, so what surrounds the matrix products counts. decode.c computes
what `GPT.forward` computes, up to rounding, in one call; where it is missing the forward pass decodes.
"""

from __future__ import annotations

import ctypes
import weakref
from typing import cast

import torch
from torch import Tensor, nn

from ..cache import KVCache
from ..gpt import GPT, Block, Linear, Multiply
from ..native import structs
from ..native.library import library, limit
from ..norms import LayerNorm, RMSNorm
from .quantization import Int8Linear


def prepare_decoding(model: GPT) -> None:
    """Prepare a model that only generates from now on: evaluation mode, no gradients, on a CPU in float32 a DecodeStep.

    To be called again after the weights have changed.
    """
    model.eval().requires_grad_(False)
    model.step = compiled_step(model)


def compiled_step(model: GPT) -> DecodeStep | None:
    """The step of a model in float32 on a CPU, whose weights may change but stay where they are; None for others."""
    exact = model.compute_dtype == model.embedding.dtype == torch.float32
    stay = all(cast(Block, block).weights_stay for block in model.blocks)
    compiled = library() if exact and stay and model.embedding.device.type == "cpu" else None
    return DecodeStep(model, compiled) if compiled is not None else None


def set_multiply(model: GPT, multiply: Multiply) -> None:
    """Let a float32 model that only generates multiply many rows by this function."""
    model.multiply = multiply
    for module in model.modules():
        if isinstance(module, Linear | Int8Linear):
            module.multiply = multiply


class DecodeStep:
    """Tokens [B, 1] and a cache of B rows -> logits [B, V] in float32; the cache grows by one position.

    On a CPU, for one caller at a time, on as many threads as torch has. The results do not depend on their number.
    """

    def __init__(self, model: GPT, native: ctypes.CDLL) -> None:
        """The weights are read from where the parameters of `model` are now."""
        for parameter in model.parameters():
            parameter.data = parameter.data.contiguous()
        self._model, self._step = weakref.proxy(model), structs.Step()
        self._kept = [*model.parameters(), *model.buffers()]  # their memory is read
        self._call, described = native.decode_step, describe(model)
        self._handle = native.decode_open(described, limit())
        if not self._handle:
            raise MemoryError("no memory to prepare the decode step")
        weakref.finalize(self, native.decode_close, self._handle)

    def __call__(self, tokens: Tensor, cache: KVCache) -> Tensor:
        """The caller has checked that the position fits the context and the cache.

        Raises IndexError for a token that the model has no row for.
        """
        model, step, both, start = self._model, self._step, cache.both, cache.length
        tokens, config = tokens.long().contiguous(), model.config
        logits = torch.empty(tokens.shape[0], config.vocab_size)
        step.rows, step.position, step.positions = tokens.shape[0], start, cache.max_length
        step.threads, step.tokens, step.logits = torch.get_num_threads(), tokens.data_ptr(), logits.data_ptr()
        step.layer_stride, _, step.row_stride, step.head_stride = both.stride()[:4]
        step.keys = both.data_ptr()
        step.values = step.keys + both.stride(1) * both.element_size()
        if model.positions is not None:
            step.place = row_pointer(model.positions, start)
        if model.cos is not None:
            step.cos, step.sin = row_pointer(model.cos, start), row_pointer(model.sin, start)
        match self._call(self._handle, ctypes.byref(step)):
            case structs.NO_MEMORY:
                raise MemoryError("no memory for a decode step")
            case structs.NO_SUCH_TOKEN:
                raise IndexError(f"the model has {config.vocab_size} tokens, and no row for one of {tokens.tolist()}")
        cache.length = start + 1
        return logits


def row_pointer(table: Tensor, row: int) -> int:
    """The address of a row of a float32 table."""
    return table.data_ptr() + row * table.stride(0) * table.element_size()


# -------------------------------------------------------------------------------------------- the model as C sees it


def describe(model: GPT) -> structs.Model:
    """Sizes, and the addresses of all weights."""
    config = model.config
    layers = (structs.Layer * config.n_layer)(*(layer_of(cast(Block, block)) for block in model.blocks))
    head = model.int8_head
    return structs.Model(
        config.n_layer, config.d_model, config.n_head, config.kv_heads, config.size_per_head, config.hidden_size,
        config.vocab_size, config.norm_position == "post", structs.ACTIVATIONS.index(config.mlp),
        model.embedding.data_ptr(), layers, norm_of(model.norm),
        linear_of(head) if head is not None else float_linear(model.embedding if model.head is None else model.head),
    )  # fmt: skip


def layer_of(block: Block) -> structs.Layer:
    """A block; without an MLP that part is empty."""
    attention, mlp = block.attention, block.mlp
    up, down = (linear_of(mlp.up), linear_of(mlp.down)) if mlp is not None else (structs.LinearLayer(),) * 2
    return structs.Layer(
        norm_of(block.attention_norm), norm_of(attention.q_norm), norm_of(attention.k_norm), norm_of(block.mlp_norm),
        linear_of(attention.qkv), linear_of(attention.out), up, down,
    )  # fmt: skip


def norm_of(norm: nn.Module | None) -> structs.Norm:
    """A norm, or none."""
    match norm:
        case RMSNorm():
            return structs.Norm(norm.weight.data_ptr(), None, norm.eps, False)
        case LayerNorm():
            return structs.Norm(norm.weight.data_ptr(), pointer(norm.bias), norm.eps, True)
        case _:
            return structs.Norm()


def linear_of(linear: nn.Module) -> structs.LinearLayer:
    """A linear layer, in float32 or in int8."""
    if isinstance(linear, Int8Linear):
        return structs.LinearLayer(
            None, linear.weight.data_ptr(), linear.scales.data_ptr(), pointer(linear.bias),
            linear.out_features, linear.in_features,
        )  # fmt: skip
    assert isinstance(linear, Linear)
    return float_linear(linear.weight, linear.bias)


def float_linear(weight: Tensor, bias: Tensor | None = None) -> structs.LinearLayer:
    """A linear layer in float32."""
    return structs.LinearLayer(weight.data_ptr(), None, None, pointer(bias), *weight.shape)


def pointer(tensor: Tensor | None) -> int | None:
    """The address of a tensor's memory."""
    return None if tensor is None else tensor.data_ptr()
