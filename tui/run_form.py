"""What a person fills in to start a run, as plain text in and a Recipe out: testable without a terminal."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, get_args

from ..models.config import ConfigError, ModelConfig, descriptions, parameter_count
from ..models.presets import preset
from ..models.recipe import Budget, Recipe, TokenizerKind, TrainingConfig

TOKENIZERS: tuple[TokenizerKind, ...] = get_args(TokenizerKind)

_PROCESS = 330e6  # bytes that a train process holds before it has a model: the interpreter and torch


class FieldError(Exception):
    """What stands in `field` cannot be used; the message is one sentence."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


@dataclass(frozen=True)
class Number:
    """One of the few numbers that matter."""

    name: str
    label: str
    part: Literal["model", "training"]
    kind: type[int] | type[float]

    @property
    def help(self) -> str:
        """The configuration's own description."""
        return descriptions(ModelConfig if self.part == "model" else TrainingConfig)[self.name]


NUMBERS = (
    Number("context_length", "context", "model", int),
    Number("batch_size", "batch", "training", int),
    Number("n_layer", "layers", "model", int),
    Number("learning_rate", "rate", "training", float),
    Number("n_head", "heads", "model", int),
    Number("residual_dropout", "dropout", "model", float),
    Number("d_model", "width", "model", int),
    Number("seed", "seed", "training", int),
)


def starting_values(name: str) -> dict[str, str]:
    """What stands in the form when the preset `name` is chosen: field name -> text."""
    recipe = preset(name)
    values = {"budget": str(recipe.training.budget), "tokenizer": recipe.tokenizer}
    for number in NUMBERS:
        values[number.name] = f"{getattr(getattr(recipe, number.part), number.name):g}"
    return values


def read_recipe(name: str, values: dict[str, str]) -> Recipe:
    """The preset `name` with the values of the form. Raises FieldError, or ConfigError for values that do not agree."""
    recipe = preset(name)
    try:
        budget = Budget.parse(values["budget"])
    except ConfigError as error:
        raise FieldError("budget", str(error)) from error
    read = {number.name: _read_number(number, values[number.name]) for number in NUMBERS}
    model = {number.name: read[number.name] for number in NUMBERS if number.part == "model"}
    training = {number.name: read[number.name] for number in NUMBERS if number.part == "training"}
    return replace(
        recipe,
        tokenizer=next(kind for kind in TOKENIZERS if kind == values["tokenizer"]),
        model=replace(recipe.model, n_kv_head=_kv_heads(recipe.model, int(read["n_head"])), **model),
        training=replace(
            recipe.training,
            budget=budget,
            # a micro-batch must divide the batch; the preset's is kept as far as it can be
            micro_batch_size=math.gcd(recipe.training.micro_batch_size, int(read["batch_size"]))
            if recipe.training.micro_batch_size
            else 0,
            **training,
        ),
    )


def training_memory(model: ModelConfig, training: TrainingConfig) -> float:
    """About how many bytes the train process will hold.

    Weights, gradients and two moments are 16 bytes a parameter. Kept for the backward pass, per token of a forward:
    some fourteen vectors of the model's width and three of the MLP's in each block, and the logits three times
    (themselves, as float32, their gradient), four bytes a number.
    """
    tokens = (training.micro_batch_size or training.batch_size) * model.context_length
    block = 14 * model.d_model + 3 * model.hidden_size
    return _PROCESS + 16.0 * parameter_count(model) + 4.0 * tokens * (model.n_layer * block + 3 * model.vocab_size)


def _kv_heads(model: ModelConfig, n_head: int) -> int:
    """Key/value heads for another number of heads: the preset's ratio where it goes, else one for each head."""
    shared = n_head * model.n_kv_head
    return 0 if shared % model.n_head else shared // model.n_head


def _read_number(number: Number, text: str) -> int | float:
    try:
        value = number.kind(text.replace(",", "").replace("_", "").strip())
    except ValueError:
        wanted = "a whole number" if number.kind is int else "a number"
        raise FieldError(number.name, f"{number.label} must be {wanted}, not '{text}'") from None
    if not math.isfinite(value):
        raise FieldError(number.name, f"{number.label} must be finite")
    return value
