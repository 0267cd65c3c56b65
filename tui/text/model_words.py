"""A model's architecture in words, with the names that the command line uses."""

from __future__ import annotations

from ...models.config import ModelConfig
from . import formatting

_POSITIONS = {
    "learned": "learned positions", "sinusoidal": "sinusoidal positions", "rope": "rotary positions",
    "none": "no positions",
}  # fmt: skip
_NORMS = {"layer": "LayerNorm", "rms": "RMSNorm"}
_MLPS = {
    "gelu": "GELU", "gelu_tanh": "GELU (tanh)", "relu": "ReLU", "relu2": "ReLU²", "swiglu": "SwiGLU", "none": "no MLP",
}  # fmt: skip
_SHORT_TOKENIZERS = {"huggingface": "hf"}


def block(config: ModelConfig) -> tuple[str, ...]:
    """The block in few words, the longest form first."""
    norm = ("post-" if config.norm_position == "post" else "") + config.norm
    short = (config.position, norm, config.mlp.removesuffix("_tanh"))
    return (f"{config.position} · {_norm(config)} · {_MLPS[config.mlp]}", " · ".join(short), " ".join(short))


def heads(config: ModelConfig) -> str:
    """The number of heads, and of the key/value heads where they are shared."""
    return str(config.n_head) + (f" ({config.kv_heads} kv)" if config.kv_heads != config.n_head else "")


def vocabulary(config: ModelConfig, tokenizer: str) -> str:
    """How many tokens of which kind: 62 char, 4,096 bpe, 50k gpt2."""
    size = formatting.whole(config.vocab_size) if config.vocab_size < 10_000 else formatting.compact(config.vocab_size)
    return f"{size} {_SHORT_TOKENIZERS.get(tokenizer, tokenizer)}".rstrip()


def details(config: ModelConfig, tokenizer: str, flops_per_token: int) -> str:
    """Everything about the architecture, one fact a line."""
    return "\n".join(
        [
            f"{tokenizer} tokenizer, {config.vocab_size:,} tokens".strip(),
            f"{config.n_layer} layers, {config.n_head} heads of width {config.size_per_head}{shared_heads(config)}",
            positions(config),
            norm(config),
            mlp(config),
            "output layer tied to the embedding" if config.tied else "output layer of its own",
            f"{formatting.flops(flops_per_token)} a token of training: forward and backward",
        ]
    )


def shared_heads(config: ModelConfig) -> str:
    """How many key/value heads the heads share, where they do."""
    if config.kv_heads == config.n_head:
        return ""
    return f", which share {config.kv_heads} key/value head{'s' if config.kv_heads > 1 else ''}"


def positions(config: ModelConfig) -> str:
    """How the model knows where a token stands."""
    return _POSITIONS[config.position] + (", normalised queries and keys (QK-norm)" if config.qk_norm else "")


def norm(config: ModelConfig) -> str:
    """The kind of norm, and where it stands."""
    return f"{_NORMS[config.norm]} {'after each sum' if config.norm_position == 'post' else 'before each sub-layer'}"


def mlp(config: ModelConfig) -> str:
    """The activation of the MLP and its width."""
    return _MLPS[config.mlp] + (f" of width {config.hidden_size:,}" if config.mlp != "none" else "")


def _norm(config: ModelConfig) -> str:
    return ("post-" if config.norm_position == "post" else "") + _NORMS[config.norm]
