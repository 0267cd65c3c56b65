"""What a machine allows: the arithmetic of it, and rates that a real machine has."""

from __future__ import annotations

import math

import pytest
import torch
from minigpt_tui.models.config import ModelConfig, matrix_parameters
from minigpt_tui.models.gpt import GPT

from benchmarks.generate.peers.this_machine import product_speed, read_bandwidth
from benchmarks.generate.roofline import Cost, Rates, prompt_cost, step_cost, weight_bytes

CONFIG = ModelConfig(vocab_size=10, context_length=8, n_layer=2, n_head=4, n_kv_head=2, d_model=16, mlp="relu2")


def test_the_weights_that_a_token_reads_are_those_of_all_matrices() -> None:
    model = GPT(CONFIG)
    matrices = sum(p.numel() for p in [*model.hidden_matrices(), *model.head_parameters()])
    assert weight_bytes(CONFIG, "float32") == 4 * matrices
    assert weight_bytes(CONFIG, "bfloat16") == 2 * matrices
    assert weight_bytes(CONFIG, "int8") == matrices
    assert weight_bytes(CONFIG, "q8_0") == 34 / 32 * matrices  # 32 weights and a scale of two bytes


def test_a_step_reads_keys_and_values_and_multiplies_for_each_text() -> None:
    cost, weights = step_cost(CONFIG, "float32", texts=3, positions=5), matrix_parameters(CONFIG)
    assert cost.n_bytes == 4 * weights + 3 * 2 * 2 * (2 * 4) * 5 * 4  # texts, layers, both, heads x width, positions
    assert cost.operations == 3 * (2 * weights + 2 * 2 * 2 * 16 * 5)  # scores and sums, two operations for each weight
    assert step_cost(CONFIG, "float32", 1, 0) == Cost(4 * weights, 2 * weights)


def test_a_prompt_is_read_in_one_pass_with_one_row_of_logits() -> None:
    cost, head = prompt_cost(CONFIG, "float32", 1), 10 * 16
    assert cost.n_bytes == weight_bytes(CONFIG, "float32")
    assert cost.operations == 2 * matrix_parameters(CONFIG) + 2 * 2 * 2 * 16 * 0.5
    longer = prompt_cost(CONFIG, "float32", 6)
    assert longer.operations == 6 * (2 * (matrix_parameters(CONFIG) - head) + 4 * 2 * 16 * 3) + 2 * head


def test_what_takes_longer_is_the_limit() -> None:
    rates = Rates(memory_bandwidth=1.0, weights_bandwidth=10.0, product_speed=100.0)
    assert Cost(50.0, 100.0).seconds(rates) == 5.0
    assert Cost(50.0, 1000.0).seconds(rates) == 10.0


def test_the_best_of_each_rate_counts() -> None:
    assert Rates(1.0, 5.0, 3.0).best(Rates(2.0, 4.0, 3.5)) == Rates(2.0, 5.0, 3.5)


@pytest.mark.long
@pytest.mark.parametrize("n_bytes", [1, 10_000, 1 << 20])
def test_a_bandwidth_is_positive_and_finite(n_bytes: int) -> None:
    threads = torch.get_num_threads()
    assert 0 < read_bandwidth(n_bytes, torch.device("cpu")) < math.inf
    assert 0 < product_speed(torch.float32, torch.device("cpu")) < math.inf
    torch.set_num_threads(threads)
