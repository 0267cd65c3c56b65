"""Which runs a person means: words, tags, and comparisons of figures and of the fields of a recipe."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from dataclasses import fields

from ..models.config import ModelConfig
from ..models.recipe import TrainingConfig
from .run_summary import RunSummary, shown_value
from .runs import RunError, RunStatus

Condition = Callable[[RunSummary], bool]
Value = float | str | None

FIGURES: dict[str, Callable[[RunStatus], float | None]] = {
    "loss": lambda status: status.best_validation_loss,
    "validation": lambda status: status.validation_loss,
    "train": lambda status: status.train_loss,
    "step": lambda status: status.step,
    "bits": lambda status: status.bits_per_byte,
    "speed": lambda status: status.tokens_per_second,
    "seconds": lambda status: status.seconds,
}
"""By their names in a filter; the loss is the best one on the validation text."""
_TEXTS: dict[str, Callable[[RunSummary], Value]] = {
    "name": lambda run: run.name,
    "state": lambda run: run.state,
    "group": lambda run: run.about.group,
    "parameters": lambda run: run.parameters,
    "preset": lambda run: run.manifest.preset if run.manifest else None,
    "corpus": lambda run: run.manifest.corpus.name if run.manifest else None,
    "tokenizer": lambda run: run.manifest.tokenizer if run.manifest else None,
}
_FIELDS = {field.name for config in (ModelConfig, TrainingConfig) for field in fields(config)}
_SIGNS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt, "=": operator.eq,
}  # fmt: skip


def matching(runs: Iterable[RunSummary], words: str) -> list[RunSummary]:
    """Those for which each of the words holds.

    A word is a part of the name, of the text's name or of the note; `#good` is a tag; `preset=laptop` and `loss<1.6`
    compare a figure of FIGURES or a field of the recipe. Raises RunError for a comparison that means nothing.
    """
    conditions = [_condition(word) for word in words.split()]
    return [run for run in runs if all(condition(run) for condition in conditions)]


def value_of(run: RunSummary, name: str) -> Value:
    """The figure or the field of a recipe called `name`; None where it is not known."""
    if name in FIGURES:
        return FIGURES[name](run.status) if run.status else None
    if name in _TEXTS:
        return _TEXTS[name](run)
    if run.manifest is None:
        return None
    value = getattr(run.manifest.training, name, None)
    value = getattr(run.manifest.model, name, None) if value is None else value
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else shown_value(value)


def _condition(word: str) -> Condition:
    for sign in _SIGNS:
        name, found, wanted = word.partition(sign)
        if found and name:
            return _comparison(name, sign, wanted)
    folded = word.casefold()
    if folded.startswith("#"):
        return lambda run: folded[1:] in map(str.casefold, run.about.tags)
    return lambda run: folded in _words(run)


def _words(run: RunSummary) -> str:
    texts = [run.name, run.run.name, run.state, run.about.note, run.about.group]
    if run.manifest:
        texts += [run.manifest.preset, run.manifest.corpus.name, run.manifest.tokenizer]
    return "\n".join(texts).casefold()


def _comparison(name: str, sign: str, wanted: str) -> Condition:
    if name not in FIGURES.keys() | _TEXTS.keys() | _FIELDS:
        known = ", ".join([*FIGURES, *_TEXTS])
        raise RunError(f"runs are not compared by '{name}'; there are: {known}, and each field of a recipe")
    number = _number(wanted)
    if sign != "=" and number is None:
        raise RunError(f"'{name}{sign}{wanted}': '{wanted}' is no number that could be compared")

    def holds(run: RunSummary) -> bool:
        value = value_of(run, name)
        if isinstance(value, str):
            return sign == "=" and value.casefold() == wanted.casefold()
        return value is not None and number is not None and _SIGNS[sign](value, number)

    return holds


def _number(text: str) -> float | None:
    """1.6, 5e-4, 10M or 50k; None for anything else."""
    factor = {"k": 1e3, "m": 1e6, "g": 1e9}.get(text[-1:].lower(), 1.0)
    try:
        return float(text if factor == 1.0 else text[:-1]) * factor
    except ValueError:
        return None
