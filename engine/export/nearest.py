"""The nearest preset of those that another program can compute, for a model that it cannot."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from ...models.config import ConfigError, ModelConfig, parameter_count
from ...models.presets import PRESETS

OPTIONS = (
    "position", "rope_scaling", "norm", "norm_position", "mlp", "qk_norm", "tied", "bias", "qkv_bias",
    "n_head", "n_kv_head", "head_dim", "d_model",
)  # fmt: skip
_SHAPE = OPTIONS[-4:]


@dataclass(frozen=True)
class NearestPreset:
    """A preset, and the options of it, as text, with which the model could be exported too."""

    preset: str
    changes: str


def nearest_preset(config: ModelConfig, fits: Callable[[ModelConfig], bool]) -> NearestPreset:
    """The preset whose model fits and shares the most options with `config`; of several, the nearest in size."""
    size = parameter_count(config)

    def distance(name: str) -> tuple[int, float]:
        model = replace(PRESETS[name].model, vocab_size=config.vocab_size)
        different = len(_different(config, model) - set(_SHAPE))
        different += (model.kv_heads < model.n_head) != (config.kv_heads < config.n_head)
        if (model.mlp == "none") != (config.mlp == "none"):
            different += len(OPTIONS)  # half of each block is missing: hardly a neighbour
        return different, abs(math.log(parameter_count(model) / size))

    # a fine-tuning has no model of its own
    possible = (name for name, recipe in PRESETS.items() if recipe.parameters() and fits(recipe.model))
    name = min(possible, key=distance)
    return NearestPreset(name, _necessary(config, PRESETS[name].model, fits))


def _different(config: ModelConfig, model: ModelConfig) -> set[str]:
    return {option for option in OPTIONS if getattr(model, option) != getattr(config, option)}


def _necessary(config: ModelConfig, model: ModelConfig, fits: Callable[[ModelConfig], bool]) -> str:
    """The fewest options of `model` that make `config` fit, as text."""
    changes = {option: getattr(model, option) for option in OPTIONS if option in _different(config, model)}
    for unneeded in (_SHAPE, *((option,) for option in reversed(OPTIONS))):
        fewer = {name: value for name, value in changes.items() if name not in unneeded}
        try:
            changes = fewer if fits(replace(config, **fewer)) else changes
        except ConfigError:  # half a change of the heads' sizes
            continue
    return " and ".join(f"{option} {value}" for option, value in changes.items())
