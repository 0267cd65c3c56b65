"""The fields of a recipe one by one, made from the dataclasses that it consists of: what each is, read and written.

The form of a new run shows them, and the command line that does the same is written with them.
"""

from __future__ import annotations

import math
import typing
from dataclasses import dataclass, fields
from typing import Any

from ..models.config import ConfigError, ModelConfig, descriptions
from ..models.presets import DEFAULT_PRESET, PRESETS
from ..models.recipe import Budget, Recipe
from .setting_fields import SettingField
from .text.escapes import escaped, unescaped

# vocab_size follows from the tokenizer; the others say what the recipe is, or hold the fields
_NO_FIELDS = ("vocab_size", "name", "description", "source", "model", "training")
_ESCAPED = ("sample_prompt",)  # may hold what cannot be typed
_LARGEST_SEED = 2**63 - 1
_OTHER = "other"

GROUPS: dict[str, tuple[str, ...]] = {
    "text and tokenizer": ("tokenizer", "bpe_vocab_size", "unknown_characters", "literal", "validation_fraction"),
    "model": tuple(field.name for field in fields(ModelConfig) if field.name not in _NO_FIELDS),
    "batch and budget": ("budget", "batch_size", "micro_batch_size", "data_order", "seed", "patience", "minimum_steps"),
    "optimizer": (
        "optimizer", "learning_rate", "embedding_learning_rate", "head_learning_rate", "momentum", "beta1", "beta2",
        "weight_decay", "gradient_clip", "average",
    ),
    "schedule": ("schedule", "warmup_steps", "decay_fraction", "final_learning_rate_fraction"),
    "evaluation and samples": (
        "evaluation", "evaluation_interval", "evaluation_batches", "evaluate_every_epoch", "sample_interval",
        "sample_prompt", "sample_prompts", "sample_temperature",
    ),
    "checkpoints": ("checkpoint_interval", "checkpoint_history", "checkpoint_history_limit"),
    "machine": ("device", "dtype", "devices", "sharded", "threads", "compile", "cuda_graph", "deterministic"),
}  # fmt: skip


@dataclass(frozen=True)
class RecipeField(SettingField):
    """One field of a recipe; `place` is the part that it stands in and its name."""

    group: str = _OTHER

    def value_in(self, holder: Any) -> Any:
        """The value in a recipe."""
        part = self.place[0]
        return getattr(holder if part == "recipe" else getattr(holder, part), self.name)

    @property
    def choices(self) -> tuple[str, ...]:
        """All values, where there are only some; a tokenizer of another program's comes with a model alone."""
        return tuple(choice for choice in super().choices if choice != "huggingface")

    def text(self, value: Any) -> str:
        """A value as a person writes it, so that `read` finds the same one again."""
        if isinstance(value, Budget):
            return value.written
        if isinstance(value, float):
            short = f"{value:g}"
            return short if float(short) == value else repr(value)
        return "".join(map(escaped, value)) if self.name in _ESCAPED else super().text(value)

    def read(self, text: str) -> Any:
        """What a person wrote. Raises ValueError with one sentence for what is of another kind."""
        if self.kind is Budget:
            return Budget.parse(text)
        if self.kind is str:
            return unescaped(text) if self.name in _ESCAPED else text.strip()
        if self.kind in (int, float):
            text = text.replace(",", "")
        value = super().read(text)
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{self.name} must be a finite number")
        if self.name == "seed" and not 0 <= value <= _LARGEST_SEED:
            raise ValueError(f"seed must lie between 0 and {_LARGEST_SEED}, not {value}")
        return value

    def matches(self, words: str) -> bool:
        """Whether each of the words stands in its name, its group or its description."""
        text = f"{self.name} {self.name.replace('_', ' ')} {self.group} {self.description}".lower()
        return all(word in text for word in words.lower().split())


def _fields() -> list[RecipeField]:
    group_of = {name: group for group, names in GROUPS.items() for name in names}
    found: dict[str, RecipeField] = {}
    default = PRESETS[DEFAULT_PRESET]
    for part, holder in (("recipe", default), ("model", default.model), ("training", default.training)):
        hints, words = typing.get_type_hints(type(holder)), descriptions(type(holder))
        for field in fields(holder):
            if field.name not in _NO_FIELDS:
                place, value = (part, field.name), getattr(holder, field.name)
                group = group_of.get(field.name, _OTHER)
                found[field.name] = RecipeField(place, hints[field.name], value, words[field.name], group)
    named = [name for names in GROUPS.values() for name in names if name in found]
    return [found[name] for name in dict.fromkeys((*named, *found))]


FIELDS: dict[str, RecipeField] = {field.name: field for field in _fields()}
"""All fields by their names, group by group."""

FIELDS_BY_GROUP: dict[str, list[RecipeField]] = {}
for _field in FIELDS.values():
    FIELDS_BY_GROUP.setdefault(_field.group, []).append(_field)

_OF_ANOTHER_MODEL = {field.name for field in fields(ModelConfig)} - {
    "context_length", "attention_dropout", "residual_dropout", "embedding_dropout",
}  # fmt: skip


def unused_fields(tokenizer: str, *, fine_tuning: bool) -> set[str]:
    """The fields that decide nothing: with another tokenizer, or in a model that is trained further."""
    unused: set[str] = set()
    if fine_tuning:
        unused |= _OF_ANOTHER_MODEL | {"tokenizer", "bpe_vocab_size", "unknown_characters"}
    if tokenizer != "bpe":
        unused.add("bpe_vocab_size")
    if tokenizer != "char":
        unused.add("unknown_characters")
    if tokenizer in ("char", "byte") and not fine_tuning:
        unused.add("literal")
    return unused


def differing(one: Recipe, other: Recipe) -> list[RecipeField]:
    """The fields in which two recipes differ."""
    return [field for field in FIELDS.values() if field.value_in(one) != field.value_in(other)]


def overrides(base: Recipe, recipe: Recipe, *, fine_tuning: bool) -> list[RecipeField]:
    """The fields that `base.overridden` has to be given to become `recipe`, as far as they decide anything."""
    unused = unused_fields(recipe.tokenizer, fine_tuning=fine_tuning)
    given = [field for field in differing(base, recipe) if field.name not in unused]
    try:
        made = base.overridden(**{field.name: field.value_in(recipe) for field in given})
    except ConfigError:  # a model that is no longer what the recipe was made for
        return given
    following = [field for field in differing(made, recipe) if field.name not in unused and field not in given]
    return [*given, *following]
