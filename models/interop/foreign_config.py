"""What the config.json of a foreign Hugging Face folder says, as a ModelConfig. Light: no torch here.

Each model type is a dataclass with the field names and defaults of transformers, so a field that a file leaves out has
the same value as there. A setting that changes the computation and is not supported here is refused by name and value.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ...data.storage.typed_json import SchemaError, from_plain
from ..config import ConfigError, Mlp, ModelConfig, NormPosition
from .foreign_fields import ALIASES, refuse_fields
from .foreign_folder import WHOLE, file_within, read_json

ForeignType = Literal["gpt2", "openai-gpt", "llama", "qwen2", "qwen3", "arcee"]

GATED: dict[str, Mlp] = {"silu": "swiglu", "swish": "swiglu"}
UNGATED: dict[str, Mlp] = {
    "gelu": "gelu", "gelu_python": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_python_tanh": "gelu_tanh", "gelu_fast": "gelu_tanh", "gelu_accurate": "gelu_tanh", "relu": "relu",
    "relu2": "relu2",
}  # fmt: skip
COUNTS = ("vocab_size", "n_inner", "intermediate_size", "num_key_value_heads", "head_dim")  # refused where they are 0


@dataclass(frozen=True)
class ForeignModel:
    """A parsed config.json. `unbiased` are sub-layers ("self_attn", "mlp") without biases in a model with biases."""

    model_type: ForeignType
    config: ModelConfig
    unbiased: tuple[str, ...] = ()


def read_foreign_config(folder: Path) -> ModelConfig:
    """The configuration of the model in a foreign Hugging Face folder.

    Raises ConfigError, in one sentence, where it is missing, damaged or cannot be built here.
    """
    return read_foreign_model(folder).config


def read_foreign_model(folder: Path) -> ForeignModel:
    """As `read_foreign_config`, with what is needed to read the weights."""
    path = file_within(folder, "config.json")
    values = read_json(path)
    kind: ForeignType | None = next((known for known in FIELDS if known == values.get("model_type")), None)
    if kind is None and values.get("model_type") == "minigpt":
        raise ConfigError(
            f"{folder / WHOLE} holds other weights than those that minigpt.json beside it describes, and only with "
            "those its block is known; put the file back that this program wrote, or use another model"
        )
    if kind is None:
        said = f"says model_type {_shown(values['model_type'])}" if values.get("model_type") else "says no model_type"
        raise ConfigError(
            f"{path} {said}; the types known here are {', '.join(FIELDS)}: choose a model of one of these, or run this "
            "one with transformers"
        )
    try:
        refuse_fields(values)
        if issubclass(FIELDS[kind], _OpenAIGpt):
            values |= {name: values[alias] for alias, name in ALIASES.items() if alias in values}
        for name in COUNTS:
            if values.get(name) == 0:
                raise ConfigError(f"{name} is 0")
        fields = from_plain(FIELDS[kind], values, path.name)
        config = fields.read(values)
        biases = fields.biases() if config.bias else {}
        return ForeignModel(kind, config, tuple(name for name, there in biases.items() if not there))
    except SchemaError as error:
        raise ConfigError(f"{path} is damaged ({str(error)[:300]}); use another model") from None
    except ConfigError as error:
        raise ConfigError(f"{path} describes a model that cannot be computed here ({error}); use another") from None


def _refuse_unless(computable: bool, name: str, value: object) -> None:
    if not computable:
        raise ConfigError(f"{name} is {_shown(value)}")


def _activation(name: str, value: str, known: dict[str, Mlp]) -> Mlp:
    _refuse_unless(value in known, name, value)
    return known[value]


def _shown(value: object) -> str:
    return repr(value)[:80]


# ------------------------------------------------------------------------------------------------ GPT and its successor


@dataclass(frozen=True)
class _OpenAIGpt:
    """OpenAIGPTConfig."""

    vocab_size: int = 40478
    n_positions: int = 512
    n_embd: int = 768
    n_layer: int = 12
    n_head: int = 12
    afn: str = "gelu"
    resid_pdrop: float = 0.1
    embd_pdrop: float = 0.1
    attn_pdrop: float = 0.1
    layer_norm_epsilon: float = 1e-5
    tie_word_embeddings: bool | None = True

    def read(self, values: dict[str, Any]) -> ModelConfig:
        """The configuration. Raises ConfigError."""
        return ModelConfig(
            vocab_size=self.vocab_size, context_length=self.n_positions, n_layer=self.n_layer, n_head=self.n_head,
            d_model=self.n_embd, d_ff=self.width(), position="learned",
            norm="layer", norm_position=self.norm_position(), norm_eps=self.layer_norm_epsilon,
            mlp=self.mlp(), qk_norm=False, tied=bool(self.tie_word_embeddings), bias=True,
            attention_dropout=self.attn_pdrop, residual_dropout=self.resid_pdrop, embedding_dropout=self.embd_pdrop,
        )  # fmt: skip

    def norm_position(self) -> NormPosition:
        """After each residual sum."""
        return "post"

    def width(self) -> int:
        """Width inside the MLP."""
        return 4 * self.n_embd

    def mlp(self) -> Mlp:
        """The MLP's activation; "gelu" is the tanh form here."""
        return _activation("afn", self.afn, {"gelu": "gelu_tanh", "relu": "relu"})

    def biases(self) -> dict[str, bool]:
        """No exceptions: all sub-layers have biases."""
        return {}


@dataclass(frozen=True)
class _Gpt2(_OpenAIGpt):
    """GPT2Config."""

    vocab_size: int = 50257
    n_positions: int = 1024
    n_inner: int | None = None
    activation_function: str = "gelu_new"

    def norm_position(self) -> NormPosition:
        """Before each sub-layer."""
        return "pre"

    def width(self) -> int:
        """Width inside the MLP."""
        return self.n_inner or 4 * self.n_embd

    def mlp(self) -> Mlp:
        """The MLP's activation."""
        return _activation("activation_function", self.activation_function, UNGATED)


# ------------------------------------------------------------------------------------------------ Llama and its family


@dataclass(frozen=True)
class _Llama:
    """LlamaConfig, with the fields that the other rotary types have as well."""

    vocab_size: int = 32000
    hidden_size: int = 4096
    intermediate_size: int = 11008
    num_hidden_layers: int = 32
    num_attention_heads: int = 32
    num_key_value_heads: int | None = None
    head_dim: int | None = None
    hidden_act: str = "silu"
    max_position_embeddings: int = 2048
    rms_norm_eps: float = 1e-6
    rope_theta: float | None = None
    original_max_position_embeddings: int | None = None
    tie_word_embeddings: bool | None = False
    attention_bias: bool = False
    mlp_bias: bool = False
    attention_dropout: float | None = None
    use_sliding_window: bool = False
    sliding_window: int | None = 4096
    max_window_layers: int = 28
    layer_types: list[str] | None = None

    def read(self, values: dict[str, Any]) -> ModelConfig:
        """The configuration. Raises ConfigError."""
        kind = type(self)
        if kind in (_Qwen2, _Qwen3):
            self._refuse_windows()
        usual = self.head_dim is None or self.head_dim * self.num_attention_heads == self.hidden_size
        return ModelConfig(
            vocab_size=self.vocab_size, context_length=self.max_position_embeddings, n_layer=self.num_hidden_layers,
            n_head=self.num_attention_heads, n_kv_head=self.num_key_value_heads or self.num_attention_heads,
            d_model=self.hidden_size, head_dim=0 if usual else self.head_dim or 0, d_ff=self.intermediate_size,
            position="rope", norm="rms", norm_eps=self.rms_norm_eps,
            mlp=_activation("hidden_act", self.hidden_act, UNGATED if kind is _Arcee else GATED),
            qk_norm=kind is _Qwen3, tied=bool(self.tie_word_embeddings), bias=any(self.biases().values()),
            qkv_bias=kind is _Qwen2, attention_dropout=self.attention_dropout or 0.0,
            **_rope(values, self.rope_theta, self.original_max_position_embeddings, self.max_position_embeddings),
        )  # fmt: skip

    def biases(self) -> dict[str, bool]:
        """Sub-layer -> whether all its linear layers have biases."""
        return {"self_attn": self.attention_bias, "mlp": self.mlp_bias}

    def _refuse_windows(self) -> None:
        """Raise ConfigError for sliding-window attention."""
        if self.layer_types is not None:
            _refuse_unless(set(self.layer_types) <= {"full_attention"}, "layer_types", self.layer_types)
        elif self.use_sliding_window and self.sliding_window is not None:
            _refuse_unless(self.max_window_layers >= self.num_hidden_layers, "sliding_window", self.sliding_window)


@dataclass(frozen=True)
class _Arcee(_Llama):
    """ArceeConfig."""

    hidden_size: int = 2560
    intermediate_size: int = 18432
    hidden_act: str = "relu2"
    max_position_embeddings: int = 4096
    rms_norm_eps: float = 1e-5


@dataclass(frozen=True)
class _Qwen2(_Llama):
    """Qwen2Config: queries, keys and values always have biases, nothing else has."""

    vocab_size: int = 151936
    intermediate_size: int = 22016
    num_key_value_heads: int | None = 32
    max_position_embeddings: int = 32768

    def biases(self) -> dict[str, bool]:
        """No sub-layer has biases in all its linear layers."""
        return {"self_attn": False, "mlp": False}


@dataclass(frozen=True)
class _Qwen3(_Llama):
    """Qwen3Config."""

    vocab_size: int = 151936
    intermediate_size: int = 22016
    num_key_value_heads: int | None = 32
    head_dim: int | None = 128
    max_position_embeddings: int = 32768

    def biases(self) -> dict[str, bool]:
        """The MLP never has biases."""
        return {"self_attn": self.attention_bias, "mlp": False}


FIELDS: dict[ForeignType, type[_OpenAIGpt] | type[_Llama]] = {
    "gpt2": _Gpt2, "openai-gpt": _OpenAIGpt, "llama": _Llama, "qwen2": _Qwen2, "qwen3": _Qwen3, "arcee": _Arcee,
}  # fmt: skip


# ---------------------------------------------------------------------------------------------------- rotary positions


@dataclass(frozen=True)
class _Rope:
    """rope_parameters of transformers 5, called rope_scaling in version 4."""

    rope_type: str | None = None
    type: str | None = None
    rope_theta: float | None = None
    partial_rotary_factor: float | None = None
    factor: float | None = None
    low_freq_factor: float | None = None
    high_freq_factor: float | None = None
    original_max_position_embeddings: int | None = None


def _rope(values: dict[str, Any], theta: float | None, outside: int | None, context_length: int) -> dict[str, Any]:
    """The options of ModelConfig that say how positions turn. Raises ConfigError.

    `outside` is an original_max_position_embeddings beside the object with the others: it comes before the one inside.
    """
    name = "rope_scaling" if values.get("rope_scaling") else "rope_parameters"
    given = values.get(name) or {}
    fields = from_plain(_Rope, given, name)
    kind = fields.rope_type or fields.type or "default"
    _refuse_unless(not any(isinstance(value, dict) for value in given.values()), name, given)
    _refuse_unless(fields.partial_rotary_factor in (None, 1.0), "partial_rotary_factor", fields.partial_rotary_factor)
    _refuse_unless(kind in ("default", "linear", "llama3"), "rope_type", kind)
    thetas = (fields.rope_theta, theta, 10_000.0)
    options: dict[str, Any] = {"rope_theta": next(value for value in thetas if value is not None)}
    if kind == "default":
        return options
    options |= {"rope_scaling": kind, "rope_factor": fields.factor}
    if kind == "llama3":
        options |= {
            "rope_low_frequency_factor": fields.low_freq_factor,
            "rope_high_frequency_factor": fields.high_freq_factor,
            "rope_original_context": outside or fields.original_max_position_embeddings or context_length,
        }
    for option, value in options.items():
        if value is None:
            raise ConfigError(f"{name} lacks what would be {option} here")
    return options
