"""The table of recipes by name: a row is a whole Recipe, and says where its numbers come from.

Every field of every row can be overridden when a run is started (`Recipe.overridden`). Light: no torch here.
"""

from __future__ import annotations

from dataclasses import replace

from ..config import ConfigError, ModelConfig
from ..recipe import Recipe
from .gpt2 import GPT2
from .lessons import LESSONS
from .nanogpt import NANOGPT
from .ours import FINE_TUNING, OURS, fine_tuning_rate

DEFAULT_PRESET = "quick"

PRESETS: dict[str, Recipe] = {recipe.name: recipe for recipe in (*OURS, *LESSONS, *NANOGPT, *GPT2, FINE_TUNING)}


def preset(name: str) -> Recipe:
    """The recipe called `name`. Raises ConfigError that lists the names there are."""
    try:
        return PRESETS[name]
    except KeyError:
        raise ConfigError(f"there is no preset '{name}'; choose one of {', '.join(PRESETS)}") from None


def fine_tuning(recipe: Recipe, config: ModelConfig) -> Recipe:
    """`recipe` for going on with a trained model: `config` is the model's, the dropouts are the recipe's.

    The context is the model's too, unless the recipe's is shorter. The rate of the preset `finetune` is scaled for the
    model's width; other recipes have rates for new weights, and keep them.
    """
    model = replace(
        config,
        context_length=min(config.context_length, recipe.model.context_length),
        attention_dropout=recipe.model.attention_dropout,
        residual_dropout=recipe.model.residual_dropout,
        embedding_dropout=recipe.model.embedding_dropout,
    )
    training = recipe.training
    if recipe.name == FINE_TUNING.name:
        training = replace(training, learning_rate=fine_tuning_rate(training.learning_rate, config.d_model))
    return replace(recipe, model=model, training=training)
