"""What a training holds: more of what makes it larger, and near what a process was measured to hold."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
from minigpt_tui.models.config import ModelConfig, parameter_count
from minigpt_tui.models.memory import PROCESS, evaluation_windows, expected_memory, training_memory
from minigpt_tui.models.recipe import TrainingConfig

from ..benchmarks.training_memory import Case, computed, measured

SMALL = ModelConfig(vocab_size=65, d_model=64)
WIDE = replace(SMALL, d_model=512)


def test_the_state_is_four_numbers_a_parameter_and_five_with_an_average():
    assert training_memory(WIDE, TrainingConfig(), 4).state == 16 * parameter_count(WIDE)
    assert training_memory(WIDE, TrainingConfig(average=0.99), 4).state == 20 * parameter_count(WIDE)


def test_the_peak_grows_with_the_micro_batch_alone():
    one, many = TrainingConfig(batch_size=1), TrainingConfig(batch_size=64)
    assert expected_memory(SMALL, one) > PROCESS
    assert expected_memory(SMALL, many) > expected_memory(SMALL, one)
    assert expected_memory(SMALL, TrainingConfig(batch_size=64, micro_batch_size=1)) == expected_memory(SMALL, one)


@pytest.mark.parametrize(
    "changes",
    [
        {"context_length": 128}, {"context_length": 1024}, {"n_layer": 5}, {"vocab_size": 300}, {"d_ff": 1000},
        {"residual_dropout": 0.1}, {"attention_dropout": 0.1},
    ],
    ids=str,
)  # fmt: skip
def test_a_sequence_leaves_more_behind_in_a_larger_model(changes: dict[str, int]):
    larger = training_memory(replace(SMALL, **changes), TrainingConfig(), 4)
    assert larger.sequence > training_memory(SMALL, TrainingConfig(), 4).sequence


def test_bfloat16_halves_what_a_sequence_leaves_behind_but_for_its_logits():
    float32, bfloat16 = (training_memory(WIDE, TrainingConfig(), itemsize) for itemsize in (4, 2))
    assert 0.5 < bfloat16.sequence / float32.sequence < 0.6
    assert bfloat16.state == float32.state


def test_an_evaluation_computes_at_least_one_window_and_no_more_logits_than_it_may():
    assert evaluation_windows(65, 64) == 64
    assert evaluation_windows(65, 1 << 20) == 1
    assert evaluation_windows(1 << 24, 1) == 8
    assert evaluation_windows(65, 64, "cuda") > 64


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak is read from /proc")
def test_the_formula_is_near_a_measured_peak():
    """Within a factor of two: other allocators and math libraries differ. docs/benchmarks.md has the close figures."""
    case = Case("laptop", "float32", micro_batch=16, updates=1)
    assert 0.5 < computed(case) / measured(case) < 2
