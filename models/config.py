"""The configuration of a decoder: every option once, documented once, checked against every other.

The text beside a field is the command line's help and the form's tooltip as well. Light: no torch here.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, get_args

from ..data.storage.errors import UserError

Position = Literal["learned", "sinusoidal", "rope", "none"]
Norm = Literal["layer", "rms"]
NormPosition = Literal["pre", "post"]
Mlp = Literal["gelu", "gelu_tanh", "relu", "relu2", "swiglu", "none"]
RopeScaling = Literal["none", "linear", "llama3"]

CHOICES: dict[str, Any] = {
    "position": Position, "rope_scaling": RopeScaling, "norm": Norm, "norm_position": NormPosition, "mlp": Mlp,
}  # fmt: skip
# Smallest and largest values. No model comes near the upper ones; they keep a damaged or hostile file from asking for
# memory that nobody has.
SIZES: dict[str, tuple[int, int]] = {
    "vocab_size": (0, 1 << 24), "context_length": (1, 1 << 20), "n_layer": (1, 1 << 10), "n_head": (1, 1 << 12),
    "n_kv_head": (0, 1 << 12), "d_model": (1, 1 << 16), "head_dim": (0, 1 << 12), "d_ff": (0, 1 << 20),
    "rope_original_context": (1, 1 << 24),
}  # fmt: skip
FACTORS: dict[str, tuple[float, float]] = {
    "rope_theta": (1.0, 1e12), "rope_factor": (1.0, 1e6), "norm_eps": (1e-30, 1.0),
    "rope_low_frequency_factor": (1e-6, 1e6), "rope_high_frequency_factor": (1e-6, 1e6),
}  # fmt: skip

EXPLICIT_LENGTH = 256  # up to this context a CPU computes attention by matrix products and keeps its weights: gpt.py


def described(default: Any, text: str) -> Any:
    """A dataclass field with its one description."""
    return field(default=default, metadata={"description": text})


def descriptions(cls: type) -> dict[str, str]:
    """Field name -> description, for help texts and tooltips."""
    return {f.name: f.metadata.get("description", "") for f in fields(cls)}


class ConfigError(UserError, ValueError):
    """An impossible configuration; the message names the options that do not go together."""


@dataclass(frozen=True)
class ModelConfig:
    """A decoder-only Transformer. Raises ConfigError for a combination that cannot be built."""

    vocab_size: int = described(0, "Number of tokens the model knows; 0 until the tokenizer says it.")
    context_length: int = described(64, "How many tokens the model sees at once.")
    n_layer: int = described(4, "Number of Transformer blocks.")
    n_head: int = described(4, "Attention heads per block.")
    n_kv_head: int = described(0, "Key/value heads shared by groups of heads (GQA); 0 means one for each head.")
    d_model: int = described(128, "Width of the residual stream.")
    head_dim: int = described(0, "Width of one attention head; 0 means d_model / n_head.")
    d_ff: int = described(0, "Width inside the MLP; 0 means 4 x d_model, or 8/3 of it with SwiGLU.")
    position: Position = described("rope", "How the model knows where a token stands.")
    rope_theta: float = described(10_000.0, "Base of the rotary frequencies.")
    rope_scaling: RopeScaling = described("none", "How rotary positions are stretched beyond the trained context.")
    rope_factor: float = described(1.0, "By how much rope_scaling slows the rotary frequencies.")
    rope_low_frequency_factor: float = described(1.0, "llama3: original context / this is where slowing is full.")
    rope_high_frequency_factor: float = described(4.0, "llama3: original context / this is where slowing ends.")
    rope_original_context: int = described(8192, "llama3: the context length before the scaling.")
    norm: Norm = described("rms", "LayerNorm, or RMSNorm without mean and bias.")
    norm_position: NormPosition = described("pre", "Normalise before each sub-layer, or after each residual sum.")
    norm_eps: float = described(1e-6, "Added to the variance before the root.")
    mlp: Mlp = described("swiglu", "The feed-forward layer of a block; none leaves attention alone.")
    qk_norm: bool = described(True, "Normalise queries and keys per head (RMSNorm), which keeps attention stable.")
    tied: bool = described(False, "The output layer shares the token embedding's weights.")
    bias: bool = described(False, "Biases in linear layers and LayerNorm.")
    qkv_bias: bool = described(False, "Biases of queries, keys and values even where bias is off, as in Qwen2.")
    attention_dropout: float = described(0.0, "Dropout on the attention weights.")
    residual_dropout: float = described(0.0, "Dropout on each sub-layer's output.")
    embedding_dropout: float = described(0.0, "Dropout on the embedded tokens.")

    def __post_init__(self) -> None:
        for name, kind in CHOICES.items():
            if getattr(self, name) not in get_args(kind):
                raise ConfigError(f"{name} is {getattr(self, name)!r}; it must be one of {', '.join(get_args(kind))}")
        for name, (least, most) in (SIZES | FACTORS).items():
            if not least <= getattr(self, name) <= most:  # false for NaN too
                raise ConfigError(
                    f"{name} is {getattr(self, name)}; it must lie between {least:,.12g} and {most:,.12g}"
                )
        for name in ("attention_dropout", "residual_dropout", "embedding_dropout"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least 0 and below 1")
        if self.head_dim == 0 and self.d_model % self.n_head:
            raise ConfigError(
                f"d_model {self.d_model} is not divisible by n_head {self.n_head}; change one or set head_dim"
            )
        if self.n_kv_head and self.n_head % self.n_kv_head:
            raise ConfigError(f"n_head {self.n_head} is not divisible by n_kv_head {self.n_kv_head}")
        if self.position == "rope" and self.size_per_head % 2:
            raise ConfigError(f"rotary positions need an even head width, not {self.size_per_head}")
        if self.rope_scaling != "none" and self.position != "rope":
            raise ConfigError(f"rope_scaling '{self.rope_scaling}' needs position 'rope', not '{self.position}'")
        if self.rope_scaling == "llama3" and self.rope_low_frequency_factor >= self.rope_high_frequency_factor:
            raise ConfigError(
                f"rope_low_frequency_factor {self.rope_low_frequency_factor} must be below "
                f"rope_high_frequency_factor {self.rope_high_frequency_factor}"
            )

    @property
    def size_per_head(self) -> int:
        """Width of one attention head."""
        return self.head_dim or self.d_model // self.n_head

    @property
    def kv_heads(self) -> int:
        """Number of key/value heads."""
        return self.n_kv_head or self.n_head

    @property
    def hidden_size(self) -> int:
        """Width inside the MLP; for SwiGLU 8/3 of d_model, rounded up to a multiple of 8 (0 without an MLP)."""
        if self.mlp == "none":
            return 0
        if self.d_ff:
            return self.d_ff
        return -(-8 * self.d_model // 3 // 8) * 8 if self.mlp == "swiglu" else 4 * self.d_model


def differing_fields(one: ModelConfig, other: ModelConfig) -> list[str]:
    """The names of the fields in which two models differ; a width that follows from other fields counts as given."""
    one, other = with_widths(one), with_widths(other)
    names = [known.name for known in fields(ModelConfig)]
    return [name for name in names if getattr(one, name) != getattr(other, name)]


def with_widths(config: ModelConfig) -> ModelConfig:
    """The same model with the widths that follow from other fields filled in."""
    return replace(config, n_kv_head=config.kv_heads, head_dim=config.size_per_head, d_ff=config.hidden_size)


def matrix_parameters(config: ModelConfig) -> int:
    """The number of weights that every token is multiplied with: all matrices but the look-up tables."""
    d, heads, kv, width, ff = config.d_model, config.n_head, config.kv_heads, config.size_per_head, config.hidden_size
    attention = d * (heads + 2 * kv) * width + heads * width * d
    mlp = (3 if config.mlp == "swiglu" else 2) * d * ff
    return config.n_layer * (attention + mlp) + config.vocab_size * d


def parameter_count(config: ModelConfig) -> int:
    """The number of trainable parameters of the model that `config` describes."""
    return sum(parameters_by_part(config).values())


def parameters_by_part(config: ModelConfig) -> dict[str, int]:
    """Where the trainable parameters are, over all layers; parts that the model does not have are left out."""
    d, heads, kv, width, ff = config.d_model, config.n_head, config.kv_heads, config.size_per_head, config.hidden_size
    norm = d * (2 if config.norm == "layer" and config.bias else 1)
    attention = d * (heads + 2 * kv) * width + heads * width * d
    if config.bias or config.qkv_bias:
        attention += (heads + 2 * kv) * width
    mlp = (3 if config.mlp == "swiglu" else 2) * d * ff
    if config.bias:
        attention += d
        mlp += (2 * ff if config.mlp == "swiglu" else ff) + d if ff else 0
    norms = norm * (2 if ff else 1) + (2 * width if config.qk_norm else 0)
    parts = {
        "embedding": config.vocab_size * d,
        "positions": config.context_length * d if config.position == "learned" else 0,
        "attention": config.n_layer * attention,
        "MLP": config.n_layer * mlp,
        "norms": config.n_layer * norms + (norm if config.norm_position == "pre" else 0),
        "output": 0 if config.tied else config.vocab_size * d,
    }
    return {part: number for part, number in parts.items() if number}


def flops_per_token(config: ModelConfig) -> int:
    """Floating-point operations of one training token, forward and backward: 6 N + 12 L H Q T (PaLM, appendix B).

    N counts the weights of matrix products, so the output layer but no look-ups, norms or biases. The attention is
    counted over the whole context, as its matrix products are computed, not only over the half that a mask leaves.
    """
    attention = config.n_layer * config.n_head * config.size_per_head * config.context_length
    return 6 * matrix_parameters(config) + 12 * attention
