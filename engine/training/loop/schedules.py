"""How far a run is, and the learning rate there: pure functions, no state.

Progress is the share of the budget that is behind, from 0 to 1.
"""

from __future__ import annotations

import math

from ....models.recipe import Budget, TrainingConfig


def steps_in_budget(budget: Budget, tokens_per_step: int) -> int | None:
    """The number of optimizer steps that a budget pays for, at least 1.

    None for minutes, which the clock counts, and for epochs, which the batches count (`Learner.steps_until`).
    """
    match budget.unit:
        case "minutes" | "epochs":
            return None
        case "steps":
            return int(budget.amount)
        case "tokens":
            return max(1, math.ceil(budget.amount / tokens_per_step))


def progress_of(budget: Budget, total_steps: int | None, step: int, seconds: float) -> float:
    """The share of the budget behind after `step` steps and `seconds` of training; 1 and above is the end."""
    return step / total_steps if total_steps else seconds / (60 * budget.amount)


def learning_rate_factor(config: TrainingConfig, progress: float, step: int, total_steps: int | None) -> float:
    """What the peak learning rates are multiplied by in the update after `step` updates."""
    warmup = min(1.0, (step + 1) / (config.warmup_steps + 1))
    final = config.final_learning_rate_fraction
    match config.schedule:
        case "constant":
            return warmup
        case "linear":
            left = (1 - progress) / config.decay_fraction if config.decay_fraction else 1.0
            return warmup * (final + (1 - final) * min(1.0, max(0.0, left)))
        case "cosine":  # nanoGPT's get_lr: the half wave begins where the warm-up ends
            if step < config.warmup_steps:
                return warmup
            begin = min(config.warmup_steps / total_steps, 0.99) if total_steps else 0.0
            wave = min(1.0, max(0.0, (progress - begin) / (1 - begin)))
            return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * wave))
