"""The list of presets, one line each: name, parameters, tokenizer and budget in columns."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Select

from ...models.presets import DEFAULT_PRESET, PRESETS
from ...models.recipe import Recipe
from ..text import formatting
from .facts import DIM

_NAME = max(map(len, PRESETS)) + 1
_TOKENIZERS = {"huggingface": ""}  # a fine-tuning has the tokenizer of its model


class PresetSelect(Select[str]):
    """The parameters are those with the usual vocabulary of the preset's tokenizer."""

    def __init__(self, value: str = DEFAULT_PRESET, *, id: str | None = None) -> None:
        options = [(_line(recipe), name) for name, recipe in PRESETS.items()]
        super().__init__(options, value=value, allow_blank=False, compact=True, id=id)


def _line(recipe: Recipe) -> Content:
    size = recipe.parameters()
    tokenizer = _TOKENIZERS.get(recipe.tokenizer, recipe.tokenizer)
    columns = (
        f"{formatting.parameters(size) if size else '':>6}  {tokenizer:<5} {formatting.budget(recipe.training.budget)}"
    )
    return Content.assemble(f"{recipe.name:<{_NAME}}", (columns, DIM))
