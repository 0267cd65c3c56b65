"""The validation losses that presets ended at when they were measured: docs/benchmarks.md and docs/recipes.md.

Light: no torch here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..recipe import Recipe, TrainingConfig
from .ours import OURS

# Fields that decide how a run is done, but hardly where it ends: two seeds lie about 0.01 apart.
_INDIFFERENT = (
    "seed", "device", "dtype", "threads", "compile", "cuda_graph", "deterministic", "micro_batch_size",
    "evaluation_interval", "checkpoint_interval", "checkpoint_history", "checkpoint_history_limit", "sample_interval",
    "sample_prompt", "sample_temperature",
)  # fmt: skip


@dataclass(frozen=True)
class MeasuredLoss:
    """The `full` validation loss at the end of a whole budget, in nats per token; where several seeds ran, the best."""

    preset: str
    corpus: str  # the name in the catalogue
    loss: float
    where: str = "docs/recipes.md"


MEASURED = (
    MeasuredLoss("quick", "tinyshakespeare", 1.626, "docs/benchmarks.md"),
    MeasuredLoss("laptop", "tinyshakespeare", 1.485, "docs/benchmarks.md"),
    MeasuredLoss("thorough", "tinyshakespeare", 1.424),
    MeasuredLoss("quick", "tales", 0.843, "docs/benchmarks.md"),
    MeasuredLoss("laptop", "tales", 0.601, "docs/benchmarks.md"),
    MeasuredLoss("thorough", "tales", 0.529),
)


def measured_loss(recipe: Recipe, corpus: str) -> MeasuredLoss | None:
    """What this recipe came to on the corpus of that name; None where none that learns alike was measured."""
    preset = next((preset for preset in OURS if preset.name == recipe.name), None)
    found = next((one for one in MEASURED if (one.preset, one.corpus) == (recipe.name, corpus)), None)
    if preset is None or found is None:
        return None
    alike = (
        replace(recipe.model, vocab_size=0) == replace(preset.model, vocab_size=0)
        and _learning(recipe.training, preset.training) == preset.training
        and (recipe.tokenizer, recipe.validation_fraction) == (preset.tokenizer, preset.validation_fraction)
    )
    return found if alike else None


def _learning(training: TrainingConfig, like: TrainingConfig) -> TrainingConfig:
    """`training` with those fields of `like` that hardly decide what is learned."""
    return replace(training, **{name: getattr(like, name) for name in _INDIFFERENT})
