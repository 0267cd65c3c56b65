"""Our models in Hugging Face's terms: model type, config.json, and which rows of our parameters each tensor holds.

A block that transformers computes exactly is stored as that model type; every other block keeps our own tensor names
and the model type "minigpt", which only this program reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from ..config import ModelConfig
from ..gpt import sinusoidal_positions

ModelType = Literal["gpt2", "openai-gpt", "llama", "qwen2", "qwen3", "arcee", "minigpt"]
Naming = Literal[ModelType, "nanogpt"]  # nanoGPT has GPT-2's tensor names, without the transposition

HIDDEN_ACTIVATIONS = {
    "gelu": "gelu", "gelu_tanh": "gelu_new", "relu": "relu", "relu2": "relu2", "swiglu": "silu", "none": "silu",
}  # fmt: skip
ZERO_MLP_WIDTH = 8  # a model without an MLP is written with one of this width that adds zero


@dataclass(frozen=True)
class Place:
    """The rows [start, start + rows) of one of our parameters; transposed where the format stores [in, out]."""

    parameter: str
    start: int
    rows: int
    transposed: bool = False

    def of(self, parameter: Tensor) -> Tensor:
        """A view of that part of the parameter, in the shape of the format."""
        part = parameter.narrow(0, self.start, self.rows)
        return part.T if self.transposed else part


def model_type(config: ModelConfig) -> ModelType:
    """The transformers model that computes exactly what this configuration does, or "minigpt" where there is none."""
    rotary = config.position == "rope" and config.norm == "rms" and config.norm_position == "pre"
    gated = config.mlp in ("swiglu", "none")
    if rotary and config.qk_norm and gated and not (config.bias and config.mlp == "swiglu"):
        return "qwen3"
    # a block of Qwen2's is a llama with zeros for the biases that it lacks: beside the type qwen2, transformers 5 puts
    # a tokenizer of its own in the place of the one in the folder
    if rotary and not config.qk_norm and config.d_model % config.n_head == 0:  # transformers refuses it otherwise
        return "llama" if gated else "arcee"
    usual_heads = config.kv_heads == config.n_head and config.n_head * config.size_per_head == config.d_model
    if config.position == "rope" or config.norm != "layer" or config.qk_norm or not usual_heads:
        return "minigpt"
    if config.norm_position == "pre" and config.mlp != "swiglu":
        return "gpt2"
    if config.mlp in ("relu", "gelu_tanh") and config.hidden_size == 4 * config.d_model:
        return "openai-gpt"
    return "minigpt"


def config_json(config: ModelConfig) -> dict[str, Any]:
    """The content of config.json, readable by transformers 4 and 5, without the special tokens."""
    kind = model_type(config)
    common: dict[str, Any] = {
        "model_type": kind, "vocab_size": config.vocab_size, "tie_word_embeddings": config.tied,
        "dtype": "float32", "torch_dtype": "float32",
    }  # fmt: skip
    if kind == "minigpt":
        return common
    if kind in ("gpt2", "openai-gpt"):
        activation = HIDDEN_ACTIVATIONS["gelu_tanh" if config.mlp == "none" else config.mlp]
        own = {
            "gpt2": {
                "architectures": ["GPT2LMHeadModel"], "activation_function": activation,
                "n_inner": config.hidden_size or ZERO_MLP_WIDTH,
            },
            "openai-gpt": {"architectures": ["OpenAIGPTLMHeadModel"], "afn": activation.removesuffix("_new")},
        }[kind]  # fmt: skip
        return common | own | {
            "n_positions": config.context_length, "n_ctx": config.context_length, "n_embd": config.d_model,
            "n_layer": config.n_layer, "n_head": config.n_head, "layer_norm_epsilon": config.norm_eps,
            "attn_pdrop": config.attention_dropout, "resid_pdrop": config.residual_dropout,
            "embd_pdrop": config.embedding_dropout,
        }  # fmt: skip
    architecture = {
        "llama": "LlamaForCausalLM", "qwen3": "Qwen3ForCausalLM", "arcee": "ArceeForCausalLM",
    }[kind]  # fmt: skip
    scaling = _rope_scaling(config)
    biases = {"attention_bias": config.bias or config.qkv_bias, "mlp_bias": config.bias and config.mlp != "none"}
    return common | biases | {
        "architectures": [architecture], "hidden_size": config.d_model,
        "intermediate_size": config.hidden_size or ZERO_MLP_WIDTH, "num_hidden_layers": config.n_layer,
        "num_attention_heads": config.n_head, "num_key_value_heads": config.kv_heads,
        "head_dim": config.size_per_head, "hidden_act": HIDDEN_ACTIVATIONS[config.mlp],
        "max_position_embeddings": config.context_length, "rms_norm_eps": config.norm_eps,
        "rope_theta": config.rope_theta, "rope_scaling": scaling,
        "rope_parameters": {"rope_theta": config.rope_theta} | (scaling or {"rope_type": "default"}),
        "attention_dropout": config.attention_dropout,
    }  # fmt: skip


def _rope_scaling(config: ModelConfig) -> dict[str, Any] | None:
    """What transformers 4 calls rope_scaling; in version 5 it is a part of rope_parameters."""
    if config.rope_scaling == "none":
        return None
    scaling: dict[str, Any] = {"rope_type": config.rope_scaling, "factor": config.rope_factor}
    if config.rope_scaling == "llama3":
        scaling |= {
            "low_freq_factor": config.rope_low_frequency_factor, "high_freq_factor": config.rope_high_frequency_factor,
            "original_max_position_embeddings": config.rope_original_context,
        }  # fmt: skip
    return scaling


def places(config: ModelConfig, shapes: dict[str, torch.Size], naming: Naming | None = None) -> dict[str, Place]:
    """Tensor name in the file -> the part of our parameters that it holds. `shapes` are those of our parameters.

    The names are those of `naming`, or else of the model type under which we store such a model. Together the places
    cover every parameter once.
    """
    naming = naming or model_type(config)
    if naming == "minigpt":
        return {name: Place(name, 0, shape[0]) for name, shape in shapes.items()}
    renamed = _gpt2_names(config) if naming in ("gpt2", "openai-gpt", "nanogpt") else _llama_names(config)
    found: dict[str, Place] = {}
    for name, parameter, start, rows in renamed:
        for suffix in (".weight", ".bias"):
            ours = parameter if parameter in shapes else parameter + suffix
            if ours not in shapes or (ours == parameter and suffix == ".bias"):
                continue
            transposed = naming in ("gpt2", "openai-gpt") and suffix == ".weight" and parameter.startswith("blocks")
            rows_there = rows or shapes[ours][0]
            found[name + suffix] = Place(ours, start, rows_there, transposed and len(shapes[ours]) == 2)
    return found


def constants(config: ModelConfig) -> dict[str, Tensor]:
    """Tensors that transformers needs and we do not have: biases of zero, fixed positions, an MLP of zeros."""
    kind, d, n = model_type(config), config.d_model, config.hidden_size or ZERO_MLP_WIDTH
    fixed: dict[str, Tensor] = {}
    for layer in range(config.n_layer if kind in ("llama", "qwen3", "arcee") else 0):
        block = f"model.layers.{layer}"
        if config.qkv_bias and not config.bias:
            fixed[f"{block}.self_attn.o_proj.bias"] = torch.zeros(d)
        if config.mlp == "none":
            fixed[f"{block}.post_attention_layernorm.weight"] = torch.ones(d)
            fixed |= {f"{block}.mlp.{name}_proj.weight": torch.zeros(n, d) for name in ("gate", "up")}
            fixed[f"{block}.mlp.down_proj.weight"] = torch.zeros(d, n)
    if kind not in ("gpt2", "openai-gpt"):
        return fixed
    if config.position != "learned":
        table = sinusoidal_positions(config.context_length, d)
        name = "wpe" if kind == "gpt2" else "positions_embed"
        fixed[f"transformer.{name}.weight"] = table if config.position == "sinusoidal" else torch.zeros_like(table)
    for layer in range(config.n_layer):
        block = f"transformer.h.{layer}"
        if config.mlp == "none":
            fixed[f"{block}.ln_2.weight"] = torch.ones(d)
            fixed[f"{block}.mlp.c_fc.weight"], fixed[f"{block}.mlp.c_proj.weight"] = (
                torch.zeros(d, n),
                torch.zeros(n, d),
            )
        if not config.bias or config.mlp == "none":
            fixed |= {f"{block}.{name}.bias": torch.zeros(d) for name in ("ln_2", "mlp.c_proj")}
            fixed[f"{block}.mlp.c_fc.bias"] = torch.zeros(n)
        if not config.bias:
            fixed |= {f"{block}.{name}.bias": torch.zeros(d) for name in ("ln_1", "attn.c_proj")}
        if not (config.bias or config.qkv_bias):
            fixed[f"{block}.attn.c_attn.bias"] = torch.zeros(3 * d)
    if not config.bias and kind == "gpt2":
        fixed["transformer.ln_f.bias"] = torch.zeros(d)
    return fixed


def _gpt2_names(config: ModelConfig) -> Iterator[tuple[str, str, int, int]]:
    """Their module, our module or parameter, first row, rows (0: all of them)."""
    gpt2 = config.norm_position == "pre"
    yield "transformer.wte" if gpt2 else "transformer.tokens_embed", "embedding", 0, 0
    yield "transformer.wpe" if gpt2 else "transformer.positions_embed", "positions", 0, 0
    for layer in range(config.n_layer):
        theirs, ours = f"transformer.h.{layer}", f"blocks.{layer}"
        yield f"{theirs}.ln_1", f"{ours}.attention_norm", 0, 0
        yield f"{theirs}.attn.c_attn", f"{ours}.attention.qkv", 0, 0
        yield f"{theirs}.attn.c_proj", f"{ours}.attention.out", 0, 0
        yield f"{theirs}.ln_2", f"{ours}.mlp_norm", 0, 0
        yield f"{theirs}.mlp.c_fc", f"{ours}.mlp.up", 0, 0
        yield f"{theirs}.mlp.c_proj", f"{ours}.mlp.down", 0, 0
    yield "transformer.ln_f", "norm", 0, 0
    yield "lm_head", "head", 0, 0


def _llama_names(config: ModelConfig) -> Iterator[tuple[str, str, int, int]]:
    """Their module, our module or parameter, first row, rows (0: all of them)."""
    queries, keys, ff = config.n_head * config.size_per_head, config.kv_heads * config.size_per_head, config.hidden_size
    yield "model.embed_tokens", "embedding", 0, 0
    for layer in range(config.n_layer):
        theirs, ours = f"model.layers.{layer}", f"blocks.{layer}"
        yield f"{theirs}.input_layernorm", f"{ours}.attention_norm", 0, 0
        yield f"{theirs}.self_attn.q_proj", f"{ours}.attention.qkv", 0, queries
        yield f"{theirs}.self_attn.k_proj", f"{ours}.attention.qkv", queries, keys
        yield f"{theirs}.self_attn.v_proj", f"{ours}.attention.qkv", queries + keys, keys
        yield f"{theirs}.self_attn.o_proj", f"{ours}.attention.out", 0, 0
        yield f"{theirs}.self_attn.q_norm", f"{ours}.attention.q_norm", 0, 0
        yield f"{theirs}.self_attn.k_norm", f"{ours}.attention.k_norm", 0, 0
        yield f"{theirs}.post_attention_layernorm", f"{ours}.mlp_norm", 0, 0
        if config.mlp == "swiglu":
            yield f"{theirs}.mlp.gate_proj", f"{ours}.mlp.up", 0, ff
            yield f"{theirs}.mlp.up_proj", f"{ours}.mlp.up", ff, ff
        else:
            yield f"{theirs}.mlp.up_proj", f"{ours}.mlp.up", 0, 0
        yield f"{theirs}.mlp.down_proj", f"{ours}.mlp.down", 0, 0
    yield "model.norm", "norm", 0, 0
    yield "lm_head", "head", 0, 0
