"""The rows for a GPU, with a tiny model on the CPU: the same processes, figures and lines; no peak is known there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from minigpt_tui.data.corpus import open_corpus
from minigpt_tui.engine.bench import gpu_rows, training
from minigpt_tui.engine.bench.measurements import OURS, Measurements, Work
from minigpt_tui.engine.bench.nanogpt import NAME, NanoGpt
from minigpt_tui.engine.bench.our_training import Training, with_training
from minigpt_tui.engine.bench.rows import ROWS
from minigpt_tui.engine.bench.setting import Setting
from minigpt_tui.engine.events import Step
from minigpt_tui.engine.runs import Run
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.presets import preset
from minigpt_tui.models.recipe import Budget


@pytest.fixture
def setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setting:
    """Where every preset is a tiny one that takes thirty steps."""
    tiny = replace(
        with_training(
            preset("quick"), budget=Budget(30), evaluation_interval=10, evaluation_batches=2, batch_size=8,
            device="cpu", dtype="float32", threads=1,
        ),
        model=ModelConfig(context_length=16, n_layer=1, n_head=2, d_model=16),
    )  # fmt: skip
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(gpu_rows, "preset", lambda name: tiny)
    for name, value in {
        "PACE_STEPS": 30, "PACE_WARM_UP": 1, "MFU_BATCH": 8, "MFU_STEPS": 30, "MFU_WARM_UP": 1, "MICRO_BATCHES": (2, 8),
    }.items():  # fmt: skip
        monkeypatch.setattr(gpu_rows, name, value)
    return Setting(tmp_path, open_corpus("tales:20KB"))


@pytest.mark.parametrize(
    ("make", "figures"),
    [
        (gpu_rows.quality, {"loss", "training", "whole"}),
        (gpu_rows.throughput, {"tokens/s", "whole"}),
        (gpu_rows.utilisation, {"tokens/s"}),
        (gpu_rows.crafting_attention, {"whole", "training", "loss"}),
    ],
)
def test_a_row_reads_its_figures_off_a_real_training(
    make: Callable[[Setting], Work], figures: set[str], setting: Setting
) -> None:
    work = Measurements().measure(make(setting), 1)
    assert not work.failures, work.failures
    assert [turn.contestant for turn in work.turns] == [contestant.name for contestant in work.contestants]
    for turn in work.turns:
        numbers = {name: value for name, value in turn.figures.items() if not isinstance(value, str)}
        assert set(numbers) == figures
        assert all(value > 0 for value in numbers.values())


@pytest.mark.parametrize("name", list(ROWS))
def test_every_line_of_a_row_names_contestants_that_take_part(name: str, setting: Setting) -> None:
    peers = {NAME, f"{NAME} compiled", f"{NAME} eager"}
    for peer in (None, NanoGpt(setting.home)):
        setting.nanogpt, setting.long_peers = peer, peer is not None
        work = training._WORKS[name](setting)
        there = {contestant.name for contestant in work.contestants}
        assert {comparison.ours for comparison in work.comparisons} == there - peers
        assert {comparison.peer for comparison in work.comparisons if comparison.peer} == there & peers
        assert bool(there & peers) == (peer is not None and name != "gpu-mfu")
        assert OURS in there or name == "gpu-mfu"


def test_the_share_of_the_peak_is_the_median_of_what_the_warm_steps_say() -> None:
    def step(number: int, mfu: float | None) -> Step:
        return Step(step=number, total_steps=9, tokens=9, seconds=1.0, remaining=1.0, loss=1.0, learning_rate=0.1,
                    gradient_norm=None, tokens_per_second=9.0, memory=0, mfu=mfu)  # fmt: skip

    shares = [0.01, 0.02, 0.41, 0.45, 0.3]
    trained = Training(Run(Path("run")), steps=[step(number, mfu) for number, mfu in enumerate(shares, start=1)])
    assert gpu_rows._share_of_peak(trained, 2) == 0.41
    trained.steps = [step(1, None), step(2, None)]
    assert gpu_rows._share_of_peak(trained, 0) is None
