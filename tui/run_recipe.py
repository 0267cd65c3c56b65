"""What a new run takes from earlier ones: a recipe, a text, a longer budget."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from ..data.storage.errors import UserError
from ..engine.runs import RunError, RunManifest, RunStatus, list_runs
from ..models.presets import DEFAULT_PRESET, FINE_TUNING, PRESETS
from ..models.recipe import Budget, Recipe

_RUNS_LOOKED_AT = 30


def recipe_of(manifest: RunManifest) -> Recipe:
    """The recipe of the run, by the preset that it was made from; by the usual one where there is none of that name."""
    usual = FINE_TUNING.name if manifest.start_from else DEFAULT_PRESET
    return replace(
        PRESETS.get(manifest.preset, PRESETS[usual]),
        model=replace(manifest.model, vocab_size=0),
        training=manifest.training,
        tokenizer=manifest.tokenizer,
        bpe_vocab_size=manifest.bpe_vocab_size,
        unknown_characters=manifest.unknown_characters,
        literal=manifest.literal,
        validation_fraction=manifest.corpus.validation_fraction,
    )


def longer_budget(text: str, status: RunStatus | None) -> Budget:
    """The budget that a person wrote for a run which has got as far as `status` says.

    Raises UserError where it is not understood, or the run has done as much already.
    """
    budget = Budget.parse(text)
    done = {
        "steps": status.step if status else None,
        "tokens": status.tokens if status else None,
        "minutes": status.seconds / 60 if status and status.seconds is not None else None,
    }.get(budget.unit)
    if done is not None and budget.amount <= done:
        raise UserError(f"the run has done {done:,.4g} {budget.unit} already; give more than that for the whole of it")
    return budget


def earlier_texts() -> list[str]:
    """The specs of the texts that the newest runs have learned from."""
    found: list[str] = []
    for run in list_runs()[:_RUNS_LOOKED_AT]:
        with suppress(RunError):
            found.append(run.manifest().corpus.spec)
    return found
