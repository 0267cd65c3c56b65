"""The form of a new run without a screen: the texts of its fields in, a Recipe out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ...data.storage.errors import UserError
from ...models.config import ConfigError, ModelConfig, descriptions
from ...models.presets import fine_tuning, preset
from ...models.recipe import Budget, Recipe, TokenizerKind, TrainingConfig, UnknownCharacters

TOKENIZERS: dict[TokenizerKind, str] = {
    "char": "char: each character of the text",
    "byte": "byte: 256 tokens, any text",
    "gpt2": "gpt2: GPT-2's 50,257 word pieces",
    "bpe": "bpe: word pieces learned from the text",
}
UNKNOWN: dict[UnknownCharacters, str] = {
    "drop": "left out, and counted",
    "refuse": "refused",
    "token": "one token for all of them",
}


class FieldError(UserError):
    """The text of `field` cannot be used; the message is one sentence."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


@dataclass(frozen=True)
class NumberField:
    """A number of the recipe that the form lets a person change."""

    name: str
    label: str
    part: Literal["model", "training", "tokenizer"]
    kind: type[int] | type[float]
    shape: bool = False  # whether a model that is trained further decides it

    @property
    def help(self) -> str:
        return descriptions({"model": ModelConfig, "training": TrainingConfig, "tokenizer": Recipe}[self.part])[
            self.name
        ]


NUMBERS = (
    NumberField("context_length", "context", "model", int),
    NumberField("batch_size", "batch", "training", int),
    NumberField("n_layer", "layers", "model", int, shape=True),
    NumberField("learning_rate", "rate", "training", float),
    NumberField("n_head", "heads", "model", int, shape=True),
    NumberField("residual_dropout", "dropout", "model", float),
    NumberField("d_model", "width", "model", int, shape=True),
    NumberField("seed", "seed", "training", int),
)
_VOCABULARY = NumberField("bpe_vocab_size", "vocabulary", "tokenizer", int)


def starting_values(name: str, start_from: ModelConfig | None = None) -> dict[str, str]:
    """The texts of the form's fields when the preset `name` is chosen: field name -> text.

    With `start_from`, the configuration of a model that is trained further, the shape is that model's.
    """
    recipe = _recipe(name, start_from)
    values = {
        "budget": str(recipe.training.budget),
        "tokenizer": recipe.tokenizer if recipe.tokenizer in TOKENIZERS else "char",
        "bpe_vocab_size": str(recipe.bpe_vocab_size),
        "unknown_characters": recipe.unknown_characters,
    }
    for number in NUMBERS:
        values[number.name] = f"{getattr(getattr(recipe, number.part), number.name):g}"
    return values


def read_recipe(name: str, values: dict[str, str], start_from: ModelConfig | None = None) -> Recipe:
    """The preset `name` with the values of the form. Raises FieldError, or ConfigError for values that do not agree.

    With `start_from` the shape and the tokenizer are that model's, whatever the form says.
    """
    recipe = _recipe(name, start_from)
    if start_from is None and recipe.tokenizer not in TOKENIZERS:
        raise FieldError("start-from", f"'{name}' goes on with a trained model: name the one to start from")
    try:
        budget = Budget.parse(values["budget"])
    except ConfigError as error:
        raise FieldError("budget", str(error)) from error
    numbers = [number for number in NUMBERS if start_from is None or not number.shape]
    changes = {number.name: _read_number(number, values[number.name]) for number in numbers}
    if start_from is None:
        recipe = _with_tokenizer(recipe, values)
    elif changes["context_length"] > start_from.context_length:
        raise FieldError("context_length", f"context can be at most {start_from.context_length:,}, as the model has it")
    return recipe.overridden(budget=budget, **changes)


def _recipe(name: str, start_from: ModelConfig | None) -> Recipe:
    return preset(name) if start_from is None else fine_tuning(preset(name), start_from)


def _with_tokenizer(recipe: Recipe, values: dict[str, str]) -> Recipe:
    """The tokenizer of the form; what another kind would need stays as the preset has it."""
    recipe = recipe.overridden(tokenizer=next(kind for kind in TOKENIZERS if kind == values["tokenizer"]))
    if recipe.tokenizer == "bpe":
        size = _read_number(_VOCABULARY, values["bpe_vocab_size"])
        try:
            recipe = recipe.overridden(bpe_vocab_size=size)
        except ConfigError as error:
            raise FieldError("bpe_vocab_size", str(error).replace("bpe_vocab_size", _VOCABULARY.label)) from error
    if recipe.tokenizer == "char":
        policy = next(policy for policy in UNKNOWN if policy == values["unknown_characters"])
        recipe = recipe.overridden(unknown_characters=policy)
    return recipe


def _read_number(number: NumberField, text: str) -> int | float:
    try:
        value = number.kind(text.replace(",", "").replace("_", "").strip())
    except ValueError:
        wanted = "a whole number" if number.kind is int else "a number"
        raise FieldError(number.name, f"{number.label} must be {wanted}, not '{text}'") from None
    if not math.isfinite(value):
        raise FieldError(number.name, f"{number.label} must be finite")
    return value
