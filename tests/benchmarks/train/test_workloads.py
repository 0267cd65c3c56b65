"""The workloads of training, with a tiny recipe on the CPU in the place of each preset; no peak is known there."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from minigpt_tui.data.corpus import open_corpus
from minigpt_tui.engine.events import Command, Step
from minigpt_tui.engine.runs import Run

from benchmarks.harness import OURS, Benchmark, Harness
from benchmarks.nanogpt import NAME, NanoGpt
from benchmarks.report import Line
from benchmarks.train.our_training import with_training
from benchmarks.train.setup import TrainingSetup
from benchmarks.train.tiny import TINY
from benchmarks.train.workloads import (
    WORKLOADS,
    crafting_attention,
    quality,
    shorten_to,
    throughput,
    time_to_loss,
    utilisation,
)

STEP = Step(step=9, total_steps=100, tokens=9, seconds=4.0, remaining=90.0, loss=1.0, learning_rate=0.1,
            gradient_norm=None, tokens_per_second=9.0, memory=0)  # fmt: skip


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainingSetup:
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path / "home"))
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    return TrainingSetup(folder, open_corpus("tales:20KB"))


@pytest.mark.long
def test_a_workload_is_measured_from_start_to_table(setup: TrainingSetup, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark = Harness().measure(time_to_loss(setup, TINY, 100.0), 2)
    assert not benchmark.failures
    assert [(trial.candidate, trial.repeat) for trial in benchmark.trials] == [("ours", 1), ("ours", 2)]
    for trial in benchmark.trials:
        whole, seconds, loss = (trial.figures[name] for name in ("whole", "training", "loss"))
        assert isinstance(whole, float)
        assert isinstance(seconds, float)
        assert 0 < seconds < whole
        assert isinstance(loss, float)
        assert 0.4 < loss < 2 * math.log(len(setup.corpus.alphabet))
        assert trial.figures["dtype"] == "float32"
    assert benchmark.trials[0].figures["loss"] != benchmark.trials[1].figures["loss"], "each repeat has its own seed"
    assert [Line.of(benchmark, comparison).cells()[1] for comparison in benchmark.comparisons] == ["", "", ""]
    assert list(setup.home.iterdir()) == [], "the files of a trial go with it"
    assert "repeat 2 of 2: ours ..." in capsys.readouterr().err


@pytest.mark.long
def test_a_loss_that_is_never_reached_is_a_failed_trial(setup: TrainingSetup) -> None:
    benchmark = Harness().measure(time_to_loss(setup, TINY, 0.01), 1)
    assert "the loss was to fall to 0.01, and its lowest was " in benchmark.failures[0].failure


@pytest.mark.parametrize(
    ("make", "figures"),
    [
        pytest.param(
            partial(quality, recipe=with_training(TINY, evaluation="random", evaluation_batches=2)),
            {"loss", "training", "whole"},
            id="quality",
        ),
        pytest.param(partial(throughput, recipe=TINY, steps=30, warm_up=1), {"tokens/s", "whole"}, id="throughput"),
        pytest.param(
            partial(utilisation, recipe=TINY, micro_batches=(2, 8), batch_size=8, steps=30, warm_up=1),
            {"tokens/s"},
            id="utilisation",
        ),
        pytest.param(partial(crafting_attention, recipe=TINY), {"whole", "training", "loss"}, id="crafting-attention"),
    ],
)
@pytest.mark.long
def test_a_workload_for_a_gpu_reads_its_figures_off_a_real_training(
    make: Callable[[TrainingSetup], Benchmark], figures: set[str], setup: TrainingSetup
) -> None:
    benchmark = Harness().measure(make(setup), 1)
    assert not benchmark.failures, benchmark.failures
    assert [trial.candidate for trial in benchmark.trials] == [candidate.name for candidate in benchmark.candidates]
    for trial in benchmark.trials:
        numbers = {name: value for name, value in trial.figures.items() if not isinstance(value, str)}
        assert set(numbers) == figures
        assert all(value > 0 for value in numbers.values())


@pytest.mark.parametrize("name", list(WORKLOADS))
def test_every_comparison_names_candidates_that_take_part(name: str, setup: TrainingSetup) -> None:
    peers = {NAME, f"{NAME} compiled", f"{NAME} eager"}
    for peer in (None, NanoGpt(setup.home)):
        setup.nanogpt, setup.long_peers = peer, peer is not None
        benchmark = WORKLOADS[name].benchmark(setup)
        there = {candidate.name for candidate in benchmark.candidates}
        assert benchmark.name == name
        assert {comparison.ours for comparison in benchmark.comparisons} == there - peers
        assert {comparison.peer for comparison in benchmark.comparisons if comparison.peer} == there & peers
        assert bool(there & peers) == (peer is not None and name != "gpu-mfu")
        assert OURS in there or name == "gpu-mfu"


def test_a_run_that_would_last_too_long_gets_another_budget_once(tmp_path: Path) -> None:
    run, watch = Run(tmp_path), shorten_to(80)
    watch(run, STEP)
    assert not run.commands_path.exists(), "the pace is not settled yet"
    for _ in range(2):
        watch(run, replace(STEP, seconds=6.0))
    (line,) = run.commands_path.read_text().splitlines()
    assert json.loads(line)["text"] == "80 seconds"
    assert Command(json.loads(line)["name"]) == Command("budget")
    other = Run(tmp_path / "other")
    watch(other, replace(STEP, seconds=6.0, remaining=50.0))
    assert not other.commands_path.exists()
