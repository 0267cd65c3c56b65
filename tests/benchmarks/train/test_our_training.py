"""One training from outside: what it says, how it fails, and that an interrupted one leaves no process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from minigpt_tui.engine.events import Step, TrainingEvent
from minigpt_tui.engine.runs import Run
from minigpt_tui.models.recipe import Budget

from benchmarks.harness import TrialFailedError
from benchmarks.train.our_training import Training, evaluate, train, with_training
from benchmarks.train.tiny import TINY

TEXT = "tales:20KB"


def step(number: int, mfu: float | None) -> Step:
    return Step(step=number, total_steps=9, tokens=9, seconds=1.0, remaining=1.0, loss=1.0, learning_rate=0.1,
                gradient_norm=None, tokens_per_second=9.0, memory=0, mfu=mfu)  # fmt: skip


@pytest.mark.long
def test_a_run_that_cannot_be_made_or_fails_says_why(tmp_path: Path) -> None:
    long = replace(TINY, model=replace(TINY.model, context_length=4096))
    with pytest.raises(TrialFailedError, match="context length"):
        train(tmp_path, TEXT, long)
    with pytest.raises(TrialFailedError, match="abacus"):
        train(tmp_path, TEXT, with_training(TINY, device="abacus"))


@pytest.mark.long
def test_what_a_training_says_is_kept_and_its_model_is_scored(tmp_path: Path) -> None:
    trained = train(tmp_path, TEXT, TINY)
    assert [evaluation.step for _, evaluation in trained.evaluations] == [10, 20, 30]
    assert trained.steps[-1].step == 30
    assert 0 < trained.seconds < trained.whole
    best = min(evaluation.validation_loss for _, evaluation in trained.evaluations)
    assert evaluate(tmp_path, trained.run.path) == pytest.approx(best, rel=1e-5)
    assert evaluate(tmp_path, trained.run.path, context_length=4) != pytest.approx(best, rel=1e-5)
    wall, first = trained.reached(trained.evaluations[0][1].validation_loss)
    assert (first.step, wall) == (10, trained.evaluations[0][0])
    pace = trained.tokens_per_second(10)
    steps = [step for step in trained.steps if step.step >= 10]
    assert pace == pytest.approx(20 * 8 * 16 / (steps[-1].seconds - steps[0].seconds))
    with pytest.raises(TrialFailedError, match="too soon"):
        trained.tokens_per_second(30)


def test_an_interrupted_training_leaves_no_process(tmp_path: Path) -> None:
    runs: list[Run] = []

    def interrupt(run: Run, event: TrainingEvent) -> None:
        if isinstance(event, Step):
            runs.append(run)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, TEXT, with_training(TINY, budget=Budget(10**8)), interrupt)
    assert not runs[0].is_alive()


def test_the_share_of_the_peak_is_the_median_of_what_the_warm_steps_say() -> None:
    shares = [0.01, 0.02, 0.41, 0.45, 0.3]
    trained = Training(Run(Path("run")), steps=[step(number, mfu) for number, mfu in enumerate(shares, start=1)])
    assert trained.share_of_peak(2) == 0.41
    trained.steps = [step(1, None), step(2, None)]
    assert trained.share_of_peak(0) is None
