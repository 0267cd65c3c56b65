"""The form of a new run without a screen: the texts of its fields in, a Recipe out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ...data.storage.errors import UserError
from ...models.config import ConfigError, ModelConfig
from ...models.presets import fine_tuning, preset
from ...models.recipe import Recipe, TokenizerKind, UnknownCharacters
from ..recipe_fields import FIELDS, unused_fields

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
NUMBERS = {
    "context_length": "context", "batch_size": "batch", "n_layer": "layers", "learning_rate": "rate",
    "n_head": "heads", "residual_dropout": "dropout", "d_model": "width", "seed": "seed",
}  # fmt: skip
"""The fields that the form begins with, and their labels there."""


class FieldError(UserError):
    """The text of `field` cannot be used; the message is one sentence."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


def base_recipe(name: str, start_from: ModelConfig | None = None) -> Recipe:
    """The preset `name`; with `start_from`, the configuration of a model that is trained further, for that model."""
    return preset(name) if start_from is None else fine_tuning(preset(name), start_from)


def texts_of(recipe: Recipe) -> dict[str, str]:
    """How the form writes the fields of a recipe: field name -> text."""
    return {name: field.text(field.value_in(recipe)) for name, field in FIELDS.items()}


def read_recipe(
    name: str, texts: Mapping[str, str], start_from: ModelConfig | None = None, *, newest: str = ""
) -> Recipe:
    """The preset `name` with the fields of `texts`. Raises FieldError with the field that is to be put right.

    What is not in `texts` is as the preset has it, or follows other fields (`Recipe.overridden`). With `start_from` the
    shape and the tokenizer are that model's, whatever the texts say. Where values do not go together it is the
    `newest` of them that is wrong, if it is one of those.
    """
    base = base_recipe(name, start_from)
    if start_from is None and base.tokenizer not in TOKENIZERS:
        raise FieldError("start-from", f"'{name}' goes on with a trained model: name the one to start from")
    tokenizer = base.tokenizer if start_from else texts.get("tokenizer", base.tokenizer)
    unused = unused_fields(tokenizer, fine_tuning=start_from is not None)
    changes = {field: _read(field, text) for field, text in texts.items() if field in FIELDS and field not in unused}
    longest = start_from.context_length if start_from else None
    if longest and changes.get("context_length", 0) > longest:
        raise FieldError("context_length", f"context_length can be at most {longest:,}, as the model has it")
    try:
        recipe = base.overridden(**changes)
    except ConfigError as error:
        raise FieldError(_field_of(error, base, changes, newest), str(error)) from error
    prompts = recipe.training.all_sample_prompts  # written as the command line takes them
    return recipe.overridden(sample_prompt=prompts[0], sample_prompts=prompts if len(prompts) > 1 else ())


def _read(name: str, text: str) -> Any:
    try:
        return FIELDS[name].read(text)
    except ValueError as error:
        raise FieldError(name, str(error)) from error


def _field_of(error: ConfigError, base: Recipe, changes: Mapping[str, Any], newest: str) -> str:
    """The field that is to blame for values that do not go together."""
    for name, value in changes.items():  # one that is wrong whatever the others are
        try:
            base.overridden(**{name: value})
        except ConfigError as alone:
            if str(alone) == str(error):
                return name
    named = [name for name in FIELDS if re.search(rf"\b{name}\b", str(error))]
    given = [name for name in (newest, *changes) if name in changes]
    return next((name for name in given if name in named), given[0] if given else next(iter(named), "budget"))


def problems_of(
    name: str, texts: Mapping[str, str], start_from: ModelConfig | None = None, *, newest: str = ""
) -> dict[str, str]:
    """Why `read_recipe` cannot read these texts: field -> sentence, for every field that is to be put right."""
    found: dict[str, str] = {}
    while True:
        left = {field: text for field, text in texts.items() if field not in found}
        try:
            read_recipe(name, left, start_from, newest=newest)
        except FieldError as error:
            found[error.field] = str(error)
            if error.field in left:
                continue
        return found
