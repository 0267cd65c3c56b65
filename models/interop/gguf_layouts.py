"""Our models in llama.cpp's terms: architecture, metadata keys, and which of our weights each tensor holds.

They follow llama.cpp's graphs (src/models/*.cpp): options that these do not compute are refused by name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ...data.storage.errors import UserError
from ..config import ModelConfig
from ..gpt import rotary_frequencies, sinusoidal_positions

Architecture = Literal["gpt2", "llama", "qwen2", "qwen3", "arcee"]
Change = Callable[[Tensor], Tensor]

ZERO_MLP_WIDTH = 32  # a model without an MLP gets one of this width that adds zero; 32 is a block of q8_0
CONTEXT_STEP = (
    256  # llama.cpp rounds the context up to a multiple of this, and reads a position table without a bounds check
)
INTERLEAVED: tuple[Architecture, ...] = (
    "llama",
    "arcee",
)  # rotary positions pair neighbours; the others pair halves, as we do


class NoCounterpart(UserError):
    """llama.cpp computes no such block; the message names the options that it lacks together."""


@dataclass(frozen=True)
class Part:
    """A tensor of the file: its shape, how to read it, and whether it stays float32 whatever the type of the file."""

    name: str
    shape: tuple[int, ...]
    read: Callable[[], Tensor]
    exact: bool


def architecture(config: ModelConfig) -> Architecture:
    """The llama.cpp architecture that computes what this configuration does. Raises NoCounterpart."""
    if missing := _missing(config):
        raise NoCounterpart(f"llama.cpp has no block with {' or '.join(missing)}")
    if config.position != "rope":
        return "gpt2"
    if config.mlp == "relu2":
        return "arcee"
    if config.qk_norm:
        return "qwen3"
    usual_heads = config.n_head * config.size_per_head == config.d_model
    only_qkv_bias = config.qkv_bias and not config.bias
    return "qwen2" if only_qkv_bias and usual_heads and config.rope_scaling != "llama3" else "llama"


def _missing(config: ModelConfig) -> list[str]:
    found: list[str] = []
    if config.norm_position == "post":
        found.append("norms after the residual sum")
    if config.position != "rope":
        beside = f"{config.position} positions" if config.position != "none" else "no positions"
        if config.norm != "layer":
            found.append(f"RMSNorm and {beside}")
        if config.qk_norm:
            found.append(f"QK-norm and {beside}")
        if config.mlp in ("relu", "relu2", "swiglu"):
            found.append(f"a {config.mlp} MLP and {beside}")
        if config.n_head * config.size_per_head != config.d_model:
            found.append(f"heads wider or narrower than d_model / n_head and {beside}")
        return found
    if config.norm != "rms":
        found.append("LayerNorm and rotary positions")
    if config.mlp in ("gelu", "gelu_tanh", "relu"):
        found.append(f"a {config.mlp} MLP and rotary positions")
    for option, given in (("QK-norm", config.qk_norm), ("a relu2 MLP", config.mlp == "relu2")):
        if given and config.bias:
            found.append(f"{option} and biases")
    if config.qk_norm and config.mlp == "relu2":
        found.append("QK-norm and a relu2 MLP")
    if config.qk_norm and config.rope_scaling == "llama3":
        found.append("QK-norm and llama3 rope_scaling")
    return found


def metadata(config: ModelConfig) -> dict[str, int | float | str]:
    """The keys that describe the model, after the architecture's name: "block_count" stands for "llama.block_count"."""
    keys: dict[str, int | float | str] = {
        "context_length": positions(config), "embedding_length": config.d_model, "block_count": config.n_layer,
        "feed_forward_length": config.hidden_size or ZERO_MLP_WIDTH, "vocab_size": config.vocab_size,
        "attention.head_count": config.n_head, "attention.head_count_kv": config.kv_heads,
    }  # fmt: skip
    if config.norm == "layer":
        return keys | {"attention.layer_norm_epsilon": config.norm_eps}
    keys |= {
        "attention.layer_norm_rms_epsilon": config.norm_eps, "attention.key_length": config.size_per_head,
        "attention.value_length": config.size_per_head, "rope.dimension_count": config.size_per_head,
        "rope.freq_base": config.rope_theta,
    }  # fmt: skip
    if config.rope_scaling == "linear":
        keys |= {"rope.scaling.type": "linear", "rope.scaling.factor": config.rope_factor}
    return keys


def positions(config: ModelConfig) -> int:
    """The context length of the file: ours, or for a position table the number of rows that llama.cpp may read."""
    if config.position == "rope":
        return config.context_length
    return -(-config.context_length // CONTEXT_STEP) * CONTEXT_STEP


def parts(config: ModelConfig, weights: Mapping[str, Tensor], added_rows: int = 0) -> list[Part]:
    """Every tensor of the file, in its order. `weights` are our parameters by name.

    The vocabulary grows by `added_rows`, each the mean of all rows: the logit of such a row is the mean of all logits,
    so it is never the largest, and its probability is below that of a uniform draw.
    Raises NoCounterpart for a configuration or a weight that the format has no tensor for.
    """
    layout = _Layout(config, weights)
    found = list(layout.parts(added_rows))
    if left := set(weights) - layout.taken:
        raise NoCounterpart(f"a {layout.kind} file has no tensor for {', '.join(sorted(left))}")
    return found


class _Layout:
    """Our weights in the order and shapes of one architecture; `taken` are those that have been used so far."""

    def __init__(self, config: ModelConfig, weights: Mapping[str, Tensor]) -> None:
        self.config, self.weights, self.kind = config, weights, architecture(config)
        self.taken: set[str] = set()
        # gpt2 needs every bias, zeros included; in the other architectures biases are optional
        self.wants_all_biases = self.kind == "gpt2"

    def parts(self, added_rows: int) -> Iterator[Part]:
        """All tensors of the file."""
        config = self.config

        def grown(rows: Tensor) -> Tensor:
            return torch.cat((rows, rows.mean(0, keepdim=True).expand(added_rows, -1))) if added_rows else rows

        yield self._taken("token_embd.weight", "embedding", grown)
        if config.position == "learned":
            yield dataclasses.replace(self._taken("position_embd.weight", "positions", self._lengthened), exact=True)
        elif self.kind == "gpt2":
            table = sinusoidal_positions(positions(config), config.d_model)
            yield _constant(
                "position_embd.weight", table if config.position == "sinusoidal" else torch.zeros_like(table)
            )
        if config.rope_scaling == "llama3":
            yield _constant("rope_freqs.weight", _rope_divisors(config))
        for layer in range(config.n_layer):
            yield from self._attention(f"blk.{layer}", f"blocks.{layer}")
            yield from (self._no_mlp if config.mlp == "none" else self._mlp)(f"blk.{layer}", f"blocks.{layer}")
        yield from self._norm("output_norm", "norm")
        if not config.tied:
            yield self._taken("output.weight", "head", grown)

    def _lengthened(self, table: Tensor) -> Tensor:
        """Learned positions, [T, C], with the last one repeated."""
        return torch.cat((table, table[-1:].expand(positions(self.config) - len(table), -1)))

    def _attention(self, theirs: str, ours: str) -> Iterator[Part]:
        config, qkv = self.config, f"{ours}.attention.qkv"
        queries, keys = config.n_head * config.size_per_head, config.kv_heads * config.size_per_head
        yield from self._norm(f"{theirs}.attn_norm", f"{ours}.attention_norm")
        if self.kind == "gpt2":
            yield from self._linear(f"{theirs}.attn_qkv", qkv, queries + 2 * keys)
        else:
            yield from self._linear(f"{theirs}.attn_q", qkv, queries, heads=config.n_head)
            yield from self._linear(f"{theirs}.attn_k", qkv, keys, queries, heads=config.kv_heads)
            yield from self._linear(f"{theirs}.attn_v", qkv, keys, queries + keys)
        yield from self._linear(f"{theirs}.attn_output", f"{ours}.attention.out", config.d_model)
        if config.qk_norm:
            yield self._taken(f"{theirs}.attn_q_norm.weight", f"{ours}.attention.q_norm.weight")
            yield self._taken(f"{theirs}.attn_k_norm.weight", f"{ours}.attention.k_norm.weight")

    def _mlp(self, theirs: str, ours: str) -> Iterator[Part]:
        width, up = self.config.hidden_size, f"{ours}.mlp.up"
        yield from self._norm(f"{theirs}.ffn_norm", f"{ours}.mlp_norm")
        if self.config.mlp == "swiglu":  # our fused matrix holds the gate, then the up projection
            yield from self._linear(f"{theirs}.ffn_gate", up, width)
            yield from self._linear(f"{theirs}.ffn_up", up, width, width)
        else:
            yield from self._linear(f"{theirs}.ffn_up", up, width)
        yield from self._linear(f"{theirs}.ffn_down", f"{ours}.mlp.down", self.config.d_model)

    def _no_mlp(self, theirs: str, ours: str) -> Iterator[Part]:
        """An MLP that adds zero to the residual stream."""
        width, between = self.config.d_model, ZERO_MLP_WIDTH
        yield _constant(f"{theirs}.ffn_norm.weight", torch.ones(width))
        if self.kind != "gpt2":
            yield _constant(f"{theirs}.ffn_gate.weight", torch.zeros(between, width))
        yield _constant(f"{theirs}.ffn_up.weight", torch.zeros(between, width))
        yield _constant(f"{theirs}.ffn_down.weight", torch.zeros(width, between))
        if self.wants_all_biases:
            yield _constant(f"{theirs}.ffn_norm.bias", torch.zeros(width))
            yield _constant(f"{theirs}.ffn_up.bias", torch.zeros(between))
            yield _constant(f"{theirs}.ffn_down.bias", torch.zeros(width))

    def _norm(self, theirs: str, ours: str) -> Iterator[Part]:
        yield self._taken(f"{theirs}.weight", f"{ours}.weight")
        yield from self._bias(theirs, ours, self.config.d_model)

    def _linear(self, theirs: str, ours: str, n_out: int, start: int = 0, heads: int = 0) -> Iterator[Part]:
        """Rows [start, start + n_out) of a linear layer; with `heads`, queries or keys ordered for rotation."""

        def rows(tensor: Tensor) -> Tensor:
            part = tensor.narrow(0, start, n_out)
            return interleaved(part, heads) if heads and self.kind in INTERLEAVED else part

        yield self._taken(f"{theirs}.weight", f"{ours}.weight", rows)
        yield from self._bias(theirs, ours, n_out, rows)

    def _bias(self, theirs: str, ours: str, width: int, change: Change | None = None) -> Iterator[Part]:
        if f"{ours}.bias" in self.weights:
            yield self._taken(f"{theirs}.bias", f"{ours}.bias", change)
        elif self.wants_all_biases:
            yield _constant(f"{theirs}.bias", torch.zeros(width))

    def _taken(self, name: str, ours: str, change: Change | None = None) -> Part:
        self.taken.add(ours)
        weight = self.weights[ours].detach()
        shape = tuple((change(weight.to("meta")) if change else weight).shape)
        return Part(name, shape, lambda: change(weight) if change else weight, len(shape) == 1)


def _constant(name: str, tensor: Tensor) -> Part:
    """A constant that llama.cpp needs and our model does not have; position tables stay float32 as learned ones do."""
    return Part(name, tuple(tensor.shape), lambda: tensor, tensor.ndim == 1 or name.startswith("position"))


def interleaved(rows: Tensor, heads: int) -> Tensor:
    """Rows of a query or key projection, [heads * D, ...], reordered: the pairs (i, i + D/2) become neighbours."""
    halves = rows.unflatten(0, (heads, 2, -1))  # [heads, 2, D / 2, ...]
    return halves.transpose(1, 2).reshape(rows.shape)


def _rope_divisors(config: ModelConfig) -> Tensor:
    """The divisors of the rotary frequencies in llama.cpp, [D / 2]: the llama3 scaling, precomputed."""
    return rotary_frequencies(dataclasses.replace(config, rope_scaling="none")) / rotary_frequencies(config)
