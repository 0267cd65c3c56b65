"""The decoder-only Transformer, read from top to bottom: linear layer, positions, attention, MLP, block, GPT.

Dimensions in comments: B batch, T positions, V vocabulary, C width of the residual stream, H query heads, K key/value
heads, D width of a head, F width inside the MLP.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .activations import ACTIVATIONS
from .cache import DeviceCache, KVCache
from .config import EXPLICIT_LENGTH, ModelConfig
from .cross_entropy import cross_entropy
from .kernels.attention import FusedAttention, HeadShape
from .kernels.mlp import FusedMLP
from .native.train import MOST_HEAD_WIDTH, fuses
from .norms import RMSNorm, build_norm

HEAD_ROWS = 64  # a GPU's fast products need rows of logits whose length in memory is a multiple of this
TABLE_SIZE = 1 << 19  # elements of a new table of fixed positions; it grows with the length of the texts

Cache = KVCache | DeviceCache
Rotary = tuple[Tensor, Tensor]  # cosines and signed sines of the positions at hand, [T, H, D] each
Step = Callable[[Tensor, KVCache], Tensor]
Multiply = Callable[[Tensor, Tensor, Tensor | None], Tensor]  # x [..., in], weight [out, in] and a bias -> [..., out]


class Linear(nn.Module):
    """A linear layer whose float32 master weight is cast to the activations' dtype: no autocast anywhere."""

    def __init__(self, n_in: int, n_out: int, bias: bool) -> None:
        super().__init__()
        self.out_features = n_out
        self.multiply: Multiply = F.linear  # a model that only generates may have a faster one
        self.weight = nn.Parameter(torch.empty(n_out, n_in))
        self.bias = nn.Parameter(torch.empty(n_out)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] -> [..., out], in the dtype of x."""
        return self.multiply(x, self.weight.to(x.dtype), None if self.bias is None else self.bias.to(x.dtype))


def are_plain(*layers: nn.Module) -> bool:
    """Whether the layers have float weights as they were made, and no biases: generation may have put others there."""
    return all(isinstance(layer, Linear) and layer.multiply is F.linear and layer.bias is None for layer in layers)


def dropout(x: Tensor, probability: float, training: bool) -> Tensor:
    """F.dropout, without the operator where there is nothing to drop."""
    return F.dropout(x, probability) if training and probability else x


def padded_logits(x: Tensor, head: Tensor) -> Tensor:
    """Logits of x [..., C] by the head [V, C], in the dtype of both: a multiple of HEAD_ROWS, beyond V they are -inf.

    The cross entropy and all of its gradients are those of the first V alone.
    """
    missing = -len(head) % HEAD_ROWS
    if not missing:
        return F.linear(x, head)
    bias = x.new_zeros(len(head) + missing)
    bias[len(head) :] = -math.inf
    return F.linear(x, F.pad(head, (0, 0, 0, missing)), bias)


# ---------------------------------------------------------------------------------------------------------- positions


def sinusoidal_positions(length: int, width: int) -> Tensor:
    """The table of "Attention Is All You Need", section 3.5: [length, width], sines at even columns, cosines at odd."""
    frequencies = 10_000.0 ** (-torch.arange(0, width, 2, device="cpu") / width)
    angles = torch.arange(length, device="cpu")[:, None] * frequencies
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1)[:, :width]


def rotary_frequencies(config: ModelConfig) -> Tensor:
    """The angles in radians by which each pair of a head rotates from one position to the next, [D / 2], float32.

    "linear" divides all of them by the factor. "llama3" (Llama 3.1) divides those with fewer rotations in the original
    context than the low factor, keeps those with more than the high factor, and interpolates between.
    """
    width = config.size_per_head
    frequencies = 1.0 / config.rope_theta ** (torch.arange(0, width, 2, device="cpu") / width)
    if config.rope_scaling == "none":
        return frequencies
    slowed = frequencies / config.rope_factor
    if config.rope_scaling == "linear":
        return slowed
    low, high = config.rope_low_frequency_factor, config.rope_high_frequency_factor
    turns = config.rope_original_context * frequencies / (2 * math.pi)
    kept = ((turns - low) / (high - low)).clamp(0.0, 1.0)
    return (1.0 - kept) * slowed + kept * frequencies


def rotary_tables(length: int, frequencies: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and signed sines, [length, D] each, for `rotate`; halves are paired as in Hugging Face's Llama."""
    angles = torch.arange(length, device="cpu")[:, None] * frequencies  # [length, D / 2]
    return torch.cat((angles.cos(), angles.cos()), -1), torch.cat((-angles.sin(), angles.sin()), -1)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions: turn each pair (x[i], x[i + D/2]) by its angle. x [B, T, H, D]; cos and sin [T, H, D]."""
    return torch.addcmul(x * cos, x.roll(x.shape[-1] // 2, -1), sin)


# ---------------------------------------------------------------------------------------------------------- attention


@functools.lru_cache(maxsize=4)
def causal_mask(length: int, heads: int, dtype: torch.dtype) -> Tensor:
    """[length * heads, length]: 0 where a query may attend and -inf elsewhere, each row repeated for each head."""
    future = torch.full((length, length), -math.inf, dtype=dtype).triu(1)
    return future.repeat_interleave(heads, 0)


def explicit_attention(q: Tensor, k: Tensor, v: Tensor, dropout_probability: float) -> Tensor:
    """Causal attention from plain matrix products. q [B, T, H, D]; k, v [B, T, K, D]; result [B, T, H, D]."""
    (batch, length, heads, width), kv_heads = q.shape, k.shape[2]
    group = heads // kv_heads  # query heads that share keys: their queries are rows of one matrix product
    q = q.view(batch, length, kv_heads, group, width).transpose(1, 2).reshape(-1, length * group, width)
    k, v = (x.transpose(1, 2).reshape(-1, length, width) for x in (k, v))
    weights = torch.baddbmm(causal_mask(length, group, q.dtype), q, k.mT, alpha=width**-0.5).softmax(-1)
    y = torch.bmm(dropout(weights, dropout_probability, True), v)
    return y.view(batch, kv_heads, length, group, width).transpose(1, 2).reshape(batch, length, heads, width)


def explicit_is_faster(x: Tensor) -> bool:
    """On CPUs the fused kernel's gradient is slow, and in bfloat16 the kernel is."""
    return x.device.type == "cpu" and (torch.is_grad_enabled() or x.dtype == torch.bfloat16)


def masked_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """Attention of single queries on a GPU, whose fused kernels give each head one block, which reads all S positions.

    q and the result [B, K, H / K, D]; k, v [B, K, S, D]; the mask [1, S], added to the scores, which are float32.
    """
    q, k, v, shape = q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1), q.shape
    if q.dtype == torch.float32 or not q.is_cuda:
        scores = torch.bmm(q, k.mT).float()
    else:
        scores = torch.bmm(q, k.mT, out_dtype=torch.float32)
    weights = torch.add(mask, scores, alpha=shape[-1] ** -0.5).softmax(-1)
    return torch.bmm(weights.to(v.dtype), v).view(shape)


def fused_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout_probability: float) -> Tensor:
    """Attention of the T newest positions over S by torch's kernel. q [B, T, H, D]; k, v [B, K, S, D].

    Without a mask a single query attends to everything, and T = S queries attend causally.
    """
    if q.shape[1] == 1:  # query heads that share keys are rows of one matrix product: [B, K, H / K, D]
        grouped = q[:, 0].unflatten(1, (k.shape[1], -1))
        if q.is_cuda and mask is not None:
            return masked_attention(grouped, k, v, mask).reshape(q.shape)
        y = F.scaled_dot_product_attention(grouped, k, v, mask, dropout_probability)
        return y.reshape(q.shape)
    y = F.scaled_dot_product_attention(
        q.transpose(1, 2), k, v, mask, dropout_probability, is_causal=mask is None, enable_gqa=q.shape[2] != k.shape[1]
    )
    return y.transpose(1, 2)


class Attention(nn.Module):
    """Causal self-attention with grouped keys and values; one product makes queries, keys and values."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.layer, self.heads, self.kv_heads, self.width = layer, config.n_head, config.kv_heads, config.size_per_head
        self.dropout = config.attention_dropout
        self.qkv = Linear(config.d_model, (self.heads + 2 * self.kv_heads) * self.width, config.bias or config.qkv_bias)
        self.out = Linear(self.heads * self.width, config.d_model, config.bias)
        self.q_norm = RMSNorm(self.width, config.norm_eps) if config.qk_norm else None
        self.k_norm = RMSNorm(self.width, config.norm_eps) if config.qk_norm else None

    def forward(self, x: Tensor, rotary: Rotary | None, cache: Cache | None, last_only: bool = False) -> Tensor:
        """[B, T, C] -> [B, T, C]; keys and values go through the cache, which decides what the queries attend to.

        With `last_only` the only query is that of the last position: [B, 1, C].
        """
        batch, length, _ = x.shape
        heads = self.qkv(x).view(batch, length, -1, self.width)  # [B, T, H + 2K, D]
        q, k, v = heads.split((self.heads, self.kv_heads, self.kv_heads), dim=2)
        if self.q_norm is not None and self.k_norm is not None:
            q, k = self.q_norm(q), self.k_norm(k)
        if rotary is not None:
            cos, sin = rotary
            q, k = rotate(q, cos, sin), rotate(k, cos[:, : self.kv_heads], sin[:, : self.kv_heads])
        if last_only:
            q = q[:, -1:]
        drop = self.dropout if self.training else 0.0
        if cache is None and length <= EXPLICIT_LENGTH and explicit_is_faster(x):
            y = explicit_attention(q, k, v, drop)
        else:
            k, v, mask = k.transpose(1, 2), v.transpose(1, 2), None
            if cache is not None:
                k, v = cache.extend(self.layer, k, v)
                mask = cache.mask(q.shape[1], k.shape[2])
            y = fused_attention(q, k, v, mask, drop)
        return self.out(y.flatten(2))

    def fused(self, x: Tensor, norm: nn.Module, rotary: Rotary | None, drop: float) -> Tensor | None:
        """The same for norm(x), with dropout and x added, by compiled code; None where that is not for it."""
        drops = self.training and self.dropout > 0
        large = x.shape[1] > EXPLICIT_LENGTH or self.width > MOST_HEAD_WIDTH
        if not isinstance(norm, RMSNorm) or drops or large or not are_plain(self.qkv, self.out) or not fuses(x):
            return None
        shape = HeadShape(self.heads, self.kv_heads, self.width, norm.eps, add=not drop)
        gains = [None if norm is None else norm.weight for norm in (self.q_norm, self.k_norm)]
        tables = None if rotary is None else tuple(table[:, 0].contiguous() for table in rotary)
        y = FusedAttention.apply(x, norm.weight, self.qkv.weight, self.out.weight, *gains, tables, shape)
        return x + F.dropout(y, drop) if drop else y


# ---------------------------------------------------------------------------------------------------------------- MLP


class MLP(nn.Module):
    """Up, activation, down; for SwiGLU the gate and the up projection are one product."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.kind, self.activation = config.mlp, ACTIVATIONS[config.mlp]
        self.up = Linear(config.d_model, 2 * width if config.mlp == "swiglu" else width, config.bias)
        self.down = Linear(width, config.d_model, config.bias)

    def forward(self, x: Tensor) -> Tensor:
        """[..., C] -> [..., C]."""
        return self.down(self.activation(self.up(x)))

    def fused(self, x: Tensor, norm: nn.Module, drop: float) -> Tensor | None:
        """The same for norm(x), with dropout and x added, by compiled code; None where that is not for it."""
        if not isinstance(norm, RMSNorm) or not are_plain(self.up, self.down) or not fuses(x):
            return None
        y = FusedMLP.apply(x, norm.weight, self.up.weight, self.down.weight, norm.eps, self.kind, not drop)
        return x + F.dropout(y, drop) if drop else y


# -------------------------------------------------------------------------------------------------------------- model


class Block(nn.Module):
    """Attention, then the MLP if there is one, each with its norm and added to the residual stream."""

    weights_stay = True  # where compiled code finds them; a sharded block's come and go

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.post, self.dropout = config.norm_position == "post", config.residual_dropout
        self.attention_norm = build_norm(config)
        self.attention = Attention(config, layer)
        self.mlp_norm = build_norm(config) if config.mlp != "none" else None
        self.mlp = MLP(config) if config.mlp != "none" else None

    def forward(self, x: Tensor, rotary: Rotary | None, cache: Cache | None, last_only: bool = False) -> Tensor:
        """[B, T, C] -> [B, T, C], or with `last_only` what comes out at the last position: [B, 1, C]."""
        stream = x[:, -1:] if last_only else x
        if self.post:
            attended = self.attention(x, rotary, cache, last_only)
            x = self.attention_norm(stream + dropout(attended, self.dropout, self.training))
            if self.mlp is not None and self.mlp_norm is not None:
                x = self.mlp_norm(x + dropout(self.mlp(x), self.dropout, self.training))
            return x
        drop, whole = self.dropout if self.training else 0.0, self.weights_stay and cache is None and not last_only
        fused = self.attention.fused(x, self.attention_norm, rotary, drop) if whole else None
        if fused is None:
            attended = self.attention(self.attention_norm(x), rotary, cache, last_only)
            x = stream + dropout(attended, drop, True)
        else:
            x = fused
        if self.mlp is not None and self.mlp_norm is not None:
            fused = self.mlp.fused(x, self.mlp_norm, drop) if whole else None
            x = x + dropout(self.mlp(self.mlp_norm(x)), drop, True) if fused is None else fused
        return x


class GPT(nn.Module):
    """A decoder-only language model. Weights are float32; activations have `compute_dtype`."""

    cos: Tensor
    sin: Tensor
    positions: Tensor | None

    def __init__(
        self,
        config: ModelConfig,
        device: torch.device | str | None = None,
        compute_dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.config, self.compute_dtype = config, compute_dtype
        device = torch.device(device or "cpu")
        with device:
            self.embedding = nn.Parameter(torch.empty(config.vocab_size, config.d_model))
            if config.position == "learned":
                self.positions = nn.Parameter(torch.empty(config.context_length, config.d_model))
            else:
                self.register_buffer("positions", None, persistent=False)
            self.register_buffer("cos", None, persistent=False)
            self.register_buffer("sin", None, persistent=False)
            self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.n_layer))
            self.norm = build_norm(config) if config.norm_position == "pre" else None
            self.head = None if config.tied else nn.Parameter(torch.empty(config.vocab_size, config.d_model))
            self.multiply: Multiply = F.linear  # for the head
            self.int8_head: nn.Module | None = None  # replaces the head in a model with int8 weights
            self.step: Step | None = None  # the decode step of a model that only generates: fast/decoding.py
        self._tabulate(-(-TABLE_SIZE // (config.d_model if config.position == "sinusoidal" else config.size_per_head)))
        if device.type != "meta":
            self.reset_parameters(torch.Generator().manual_seed(0))

    @torch.inference_mode(False)  # tables made while generating must serve training too
    def _tabulate(self, length: int) -> None:
        """Make the tables of fixed positions at least `length` long, as far as the context reaches."""
        config, device = self.config, self.embedding.device
        if device.type == "meta":
            device = torch.device("cpu")
        self.tabulated = length = min(1 << (length - 1).bit_length(), config.context_length)
        if config.position == "sinusoidal":
            self.positions = sinusoidal_positions(length, config.d_model).to(device)
        elif config.position == "rope":
            self.cos, self.sin = (table.to(device) for table in rotary_tables(length, rotary_frequencies(config)))

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw all weights from a CPU generator: the same seed gives the same model on every device.

        With LayerNorm as GPT-2: N(0, 0.02), residual projections smaller by sqrt(2 n_layer). With RMSNorm the residual
        projections and an untied head start at zero, so each block begins as the identity, which suits Muon.
        """
        for name, parameter in self.named_parameters():
            parameter.copy_(self.draw_parameter(name, parameter.shape, generator))

    def draw_parameter(self, name: str, shape: torch.Size, generator: torch.Generator) -> Tensor:
        """What the parameter `name` starts with, on the CPU; drawn one after the other in the model's own order."""
        if len(shape) == 1:
            return torch.full(shape, 1.0 if name.endswith("norm.weight") else 0.0)
        return torch.randn(shape, generator=generator).mul_(self._initial_deviation(name, shape[1]))

    def _initial_deviation(self, name: str, width: int) -> float:
        """The standard deviation that a matrix or table [rows, width] starts with."""
        gpt2, residual = self.config.norm == "layer", name.endswith(("attention.out.weight", "mlp.down.weight"))
        if gpt2:
            return 0.02 / math.sqrt(2 * self.config.n_layer) if residual else 0.02
        if name == "embedding":
            return 0.02 if self.config.tied else 1.0
        return 0.0 if residual or name == "head" else width**-0.5

    def forward(self, tokens: Tensor, cache: Cache | None = None, padded: bool = False) -> Tensor:
        """Tokens [B, T] -> logits [B, T, V] in float32, or with `padded` those of `padded_logits`.

        With a cache the tokens continue where it ends, and it is extended by T. Raises ValueError where they would not
        fit into the cache or the context length.
        """
        x = self._trunk(tokens, cache)
        return padded_logits(x, self._head(x.dtype)) if padded else self.head_logits(x)

    def next_logits(self, tokens: Tensor, cache: Cache) -> Tensor:
        """As `forward`, but only the logits after the last token, [B, V]: a prefill needs no others."""
        step = self.step if tokens.shape[1] == 1 and torch.is_inference_mode_enabled() else None
        if step is not None and isinstance(cache, KVCache):
            self._claim(cache, 1)
            return step(tokens, cache)
        return self.head_logits(self._trunk(tokens, cache, last_only=True)[:, -1])

    def loss(self, tokens: Tensor, targets: Tensor, reduction: str = "mean") -> Tensor:
        """Cross entropy in nats, float32, of targets [B, T] given tokens; the "mean", the "sum", or "none": [B * T]."""
        logits = self(tokens, padded=tokens.is_cuda and self.int8_head is None)
        return cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction)

    def head_logits(self, x: Tensor) -> Tensor:
        """The head: [..., C] -> [..., V] in float32."""
        if self.int8_head is not None:
            return self.int8_head(x).float()
        return self.multiply(x, self._head(x.dtype), None).float()

    def _head(self, dtype: torch.dtype) -> Tensor:
        """The output layer's weights [V, C]."""
        return (self.embedding if self.head is None else self.head).to(dtype)

    def _trunk(self, tokens: Tensor, cache: Cache | None, last_only: bool = False) -> Tensor:
        """Everything but the head: [B, T] -> [B, T, C], or [B, 1, C] with `last_only`.

        Then the last block computes queries, attention and MLP of the last position alone.
        """
        where, config = self._claim(cache, tokens.shape[1]), self.config
        x = F.embedding(tokens, self.embedding)
        if self.positions is not None:
            x = x + self.positions[where]
        x = dropout(x.to(self.compute_dtype), config.embedding_dropout, self.training)
        rotary = None
        if config.position == "rope":
            cos, sin = (table[where][:, None].to(x.dtype) for table in (self.cos, self.sin))
            rotary = cos.repeat(1, config.n_head, 1), sin.repeat(1, config.n_head, 1)  # long rows are fast on a CPU
        *lower, last = self.blocks
        for block in lower:
            x = block(x, rotary, cache)
        x = last(x, rotary, cache, last_only)
        if cache is not None:
            cache.advance(tokens.shape[1])
        return x if self.norm is None else self.norm(x)

    def _claim(self, cache: Cache | None, length: int) -> slice | Tensor:
        """The indices of the next `length` positions. Raises ValueError where they do not fit."""
        if isinstance(cache, DeviceCache):
            # a captured step reads the tables at their present address, so they are made long enough at once
            where, end = cache.claim(length), cache.max_length
        else:
            where = slice(0, length) if cache is None else cache.claim(length)
            end = where.stop
        if end > self.config.context_length:
            raise ValueError(f"{end} positions do not fit a context length of {self.config.context_length}")
        if end > self.tabulated:
            self._tabulate(end)
        return where

    def hidden_matrices(self) -> list[nn.Parameter]:
        """The matrices inside the blocks: Muon's."""
        return [p for p in self.blocks.parameters() if p.ndim == 2]

    def embedding_parameters(self) -> list[nn.Parameter]:
        """Token embedding and learned positions."""
        return [self.embedding, *([self.positions] if isinstance(self.positions, nn.Parameter) else [])]

    def head_parameters(self) -> list[nn.Parameter]:
        """The output layer, unless it is tied to the embedding."""
        return [] if self.head is None else [self.head]

    def vector_parameters(self) -> list[nn.Parameter]:
        """Norm gains and biases: everything with one dimension."""
        return [p for p in self.parameters() if p.ndim == 1]
