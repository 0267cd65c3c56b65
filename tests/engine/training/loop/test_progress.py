"""Budgets and learning-rate schedules."""

from __future__ import annotations

import math

import pytest
from minigpt_tui.engine.training.loop.progress import fraction_of_budget, schedule_factor, steps_in_budget
from minigpt_tui.models.recipe import Budget, TrainingConfig


@pytest.mark.parametrize(
    ("text", "steps"),
    [("7 steps", 7), ("100 tokens", 4), ("1 tokens", 1), ("2 epochs", None), ("5 minutes", None)],
)
def test_steps_in_a_budget(text, steps):
    assert steps_in_budget(Budget.parse(text), tokens_per_step=32) == steps


def test_progress_follows_steps_or_training_seconds():
    assert fraction_of_budget(Budget(10), 10, step=5, seconds=1000) == 0.5
    assert fraction_of_budget(Budget(2, "minutes"), None, step=10**6, seconds=30) == 0.25
    assert fraction_of_budget(Budget(2, "minutes"), None, step=0, seconds=240) == 2.0


def factors(config: TrainingConfig, total: int) -> list[float]:
    return [schedule_factor(config, step / total, step, total) for step in range(total)]


def test_linear_is_constant_and_then_falls_to_the_final_fraction():
    config = TrainingConfig(schedule="linear", decay_fraction=0.5, final_learning_rate_fraction=0.1)
    values = factors(config, 10)
    assert values[:6] == [1.0] * 6
    assert values[6:] == pytest.approx([0.82, 0.64, 0.46, 0.28])
    assert schedule_factor(config, 1.0, 10, 10) == pytest.approx(0.1)
    assert schedule_factor(config, 1.3, 13, 10) == pytest.approx(0.1)


def test_linear_without_decay_stays_constant():
    assert factors(TrainingConfig(schedule="linear", decay_fraction=0.0), 5) == [1.0] * 5


def test_warmup_rises_from_the_first_step_in_every_schedule():
    for schedule in ("linear", "cosine", "constant"):
        values = factors(TrainingConfig(schedule=schedule, warmup_steps=4), 100)  # type: ignore[arg-type]
        assert values[:4] == pytest.approx([0.2, 0.4, 0.6, 0.8])
        assert values[4] == pytest.approx(1.0)


def test_cosine_equals_nanogpt():
    config = TrainingConfig(schedule="cosine", warmup_steps=100, final_learning_rate_fraction=0.1)

    def get_lr(it: int) -> float:  # train.py of nanoGPT with learning_rate 1, min_lr 0.1, lr_decay_iters 2000
        if it < 100:
            return (it + 1) / 101
        ratio = (it - 100) / 1900
        return 0.1 + 0.5 * (1.0 + math.cos(math.pi * ratio)) * 0.9

    assert factors(config, 2000) == pytest.approx([get_lr(it) for it in range(2000)])


def test_a_budget_in_minutes_decays_by_time():
    config = TrainingConfig(budget=Budget(1, "minutes"), schedule="linear", decay_fraction=1.0)
    fraction = fraction_of_budget(config.budget, None, step=3, seconds=45)
    assert schedule_factor(config, fraction, 3, None) == pytest.approx(0.25)
