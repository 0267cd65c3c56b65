"""Command-line options made from the configuration's own fields: one name, one description, one check."""

from __future__ import annotations

import argparse
import dataclasses
import typing
from dataclasses import Field
from typing import Any

from ...engine.requests import SamplingSettings
from ...models.config import ConfigError, ModelConfig
from ...models.recipe import Recipe, TrainingConfig

# the tokenizer sets the first; --steps, --minutes and --budget the second; the preset is what the others belong to
_NOT_OPTIONS = {"vocab_size", "budget", "name", "description", "source", "model", "training"}
_OF_A_TRAINED_MODEL = {"context_length", "attention_dropout", "residual_dropout", "embedding_dropout"}
_REPEATABLE = {"stop": "--stop", "forbidden": "--forbid"}
_OF_NEW_WEIGHTS = ("tokenizer", "bpe_vocab_size", "unknown_characters")


def add_recipe_options(parser: argparse.ArgumentParser) -> None:
    """One option for each field of a recipe; what is not given keeps the preset's value."""
    for title, cls in (("text and tokenizer", Recipe), ("model", ModelConfig), ("training", TrainingConfig)):
        group = parser.add_argument_group(title, "each overrides the preset")
        hints = typing.get_type_hints(cls)
        for field in dataclasses.fields(cls):
            if field.name not in _NOT_OPTIONS:
                _add_option(group, field, hints[field.name])


def add_sampling_options(parser: argparse.ArgumentParser) -> None:
    """One option for each of the SamplingSettings; what is not given keeps its default."""
    group = parser.add_argument_group("how tokens are drawn")
    hints = typing.get_type_hints(SamplingSettings)
    for field in dataclasses.fields(SamplingSettings):
        if field.name in _REPEATABLE:
            flag, text = _REPEATABLE[field.name], f"{field.metadata['description']} May be repeated."
            group.add_argument(flag, dest=field.name, action="append", metavar="TEXT", help=text)
        else:
            _add_option(group, field, int if field.name == "seed" else hints[field.name])


def sampling_settings(arguments: argparse.Namespace) -> SamplingSettings:
    """What the command line asks for. Raises ValueError with the range for a value outside it."""
    names = [field.name for field in dataclasses.fields(SamplingSettings)]
    given: dict[str, Any] = {name: value for name in names if (value := getattr(arguments, name)) is not None}
    for name in _REPEATABLE.keys() & given.keys():
        given[name] = tuple(given[name])
    return SamplingSettings(**given)


def refuse_shapes(arguments: argparse.Namespace) -> None:
    """Raise ConfigError for options that a model which is trained further has decided already."""
    decided = {field.name for field in dataclasses.fields(ModelConfig)} - _NOT_OPTIONS - _OF_A_TRAINED_MODEL
    given = [name for name in (*_OF_NEW_WEIGHTS, *sorted(decided)) if getattr(arguments, name, None) is not None]
    if given:
        raise ConfigError(
            f"{', '.join(map(_flag, given))} cannot be given together with --from: the model that is trained further "
            "has its own shape and tokenizer; leave it out, or train new weights without --from"
        )


def override(recipe: Recipe, arguments: argparse.Namespace) -> Recipe:
    """The recipe with the options that were given. Raises ConfigError for values that do not go together."""
    names = {field.name for cls in (Recipe, ModelConfig, TrainingConfig) for field in dataclasses.fields(cls)}
    names = names - _NOT_OPTIONS | {"budget"}
    return recipe.overridden(
        **{name: value for name, value in vars(arguments).items() if name in names and value is not None}
    )


def _add_option(group: Any, field: Field[Any], kind: Any) -> None:
    flag = _flag(field.name)
    help_text = field.metadata.get("description", "").replace("%", "%%")
    if kind is bool:
        group.add_argument(flag, action=argparse.BooleanOptionalAction, default=None, help=help_text)
    elif typing.get_origin(kind) is typing.Literal:
        choices = [choice for choice in typing.get_args(kind) if choice != "huggingface"]  # that comes with a model
        group.add_argument(flag, choices=choices, default=None, help=help_text)
    else:
        metavar = {int: "N", float: "X"}.get(kind, "TEXT")
        group.add_argument(flag, type=kind, default=None, metavar=metavar, help=help_text)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
