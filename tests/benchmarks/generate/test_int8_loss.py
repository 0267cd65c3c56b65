"""What int8 does to the loss of one text, of a model that is named and of one that is trained for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.generate.int8_loss import FLOAT, change_in_loss, sentence
from benchmarks.generate.setup import GenerationSetup
from benchmarks.generate.tiny import TINY
from benchmarks.generate.workloads import prompt_of
from benchmarks.harness import OURS, Benchmark, Harness

pytestmark = pytest.mark.long  # each measures processes of several programs in turns


def figure(benchmark: Benchmark, candidate: str, name: str) -> float:
    (trial,) = (trial for trial in benchmark.trials if trial.candidate == candidate)
    value = trial.figures[name]
    assert isinstance(value, (int, float))
    return value


def test_the_change_in_loss_is_that_of_the_same_text(setup: GenerationSetup, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text(prompt_of(500))
    benchmark = change_in_loss(setup, str(setup.checkpoint(TINY)), str(text))
    Harness().measure(benchmark, 1)
    assert not benchmark.failures
    before, after = (figure(benchmark, name, "loss") for name in (FLOAT, OURS))
    assert before != after
    assert before == pytest.approx(after, abs=0.05)
    assert f"changes from {before:.4f} to {after:.4f} nats a token, by {after - before:+.4f}." in sentence(benchmark)
    assert "on text.txt" in sentence(benchmark)


def test_without_a_model_one_is_trained(setup: GenerationSetup) -> None:
    benchmark = change_in_loss(setup, None, None, steps=20)
    Harness().measure(benchmark, 1)
    assert not benchmark.failures
    assert figure(benchmark, OURS, "loss") < 3.5, "it has learned something"
    assert "`quick` after 20 steps on unseen `tales`" in sentence(benchmark)
