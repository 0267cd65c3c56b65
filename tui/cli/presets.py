"""The verb presets: the recipes that are known by name."""

from __future__ import annotations

import argparse

from rich.padding import Padding
from rich.text import Text

from ...data.storage.typed_json import dumps
from ...models.presets import PRESETS
from ..text import formatting
from .console import Console
from .exit_codes import DONE


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """The recipes, in the order of the table."""
    recipes = list(PRESETS.values())
    if arguments.json:
        rows = [
            {
                "name": recipe.name, "parameters": recipe.parameters() or None, "tokenizer": recipe.tokenizer,
                "budget": str(recipe.training.budget), "description": recipe.description, "source": recipe.source,
            }
            for recipe in recipes
        ]  # fmt: skip
        print(dumps(rows, indent=2))
        return DONE
    console, width = Console(), max(len(recipe.name) for recipe in recipes) + 2
    for recipe in recipes:
        size = recipe.parameters()
        tokenizer = "" if recipe.tokenizer == "huggingface" else recipe.tokenizer  # a fine-tuning has its model's
        parameters = formatting.parameters(size) if size else ""
        figures = f"{parameters:>6}  {tokenizer:<6}{formatting.budget(recipe.training.budget)}"
        console.print(Text.assemble((f"{recipe.name:<{width}}", "bold"), figures))
        console.print(Padding(Text.assemble(recipe.description, (f" ({recipe.source})", "dim")), (0, 0, 0, 4)))
    return DONE
