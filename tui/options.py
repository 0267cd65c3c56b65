"""Command-line options made from the configuration's own fields: one name, one description, one check."""

from __future__ import annotations

import argparse
import dataclasses
import typing
from dataclasses import Field
from typing import Any

from ..models.config import ModelConfig
from ..models.recipe import Recipe, TrainingConfig

_NOT_OPTIONS = {"vocab_size", "budget"}  # the tokenizer sets the first; --steps, --minutes and --budget the second


def add_recipe_options(parser: argparse.ArgumentParser) -> None:
    """One option for each field of ModelConfig and TrainingConfig; what is not given keeps the preset's value."""
    for title, cls in (("model", ModelConfig), ("training", TrainingConfig)):
        group = parser.add_argument_group(title, "each overrides the preset")
        hints = typing.get_type_hints(cls)
        for field in dataclasses.fields(cls):
            if field.name not in _NOT_OPTIONS:
                _add_option(group, field, hints[field.name])


def override(recipe: Recipe, arguments: argparse.Namespace) -> Recipe:
    """The recipe with the options that were given. Raises ConfigError for values that do not go together."""
    given = {name: value for name, value in vars(arguments).items() if value is not None}
    parts: dict[str, Any] = {}
    for part, cls in (("model", ModelConfig), ("training", TrainingConfig)):
        names = {field.name for field in dataclasses.fields(cls)} - _NOT_OPTIONS
        changes = {name: given[name] for name in names & given.keys()}
        parts[part] = dataclasses.replace(getattr(recipe, part), **changes)
    if given.get("budget") is not None:
        parts["training"] = dataclasses.replace(parts["training"], budget=given["budget"])
    for name in ("tokenizer", "validation_fraction"):
        if name in given:
            parts[name] = given[name]
    return dataclasses.replace(recipe, **parts)


def _add_option(group: Any, field: Field[Any], kind: Any) -> None:
    flag = "--" + field.name.replace("_", "-")
    help_text = field.metadata.get("description", "").replace("%", "%%")
    if kind is bool:
        group.add_argument(flag, action=argparse.BooleanOptionalAction, default=None, help=help_text)
    elif typing.get_origin(kind) is typing.Literal:
        group.add_argument(flag, choices=typing.get_args(kind), default=None, help=help_text)
    else:
        metavar = {int: "N", float: "X"}.get(kind, "TEXT")
        group.add_argument(flag, type=kind, default=None, metavar=metavar, help=help_text)
