"""Trials: their order, which are kept, and what a failure or an interruption does to the others."""

import pytest

from benchmarks.harness import Benchmark, Candidate, Harness, TrialFailedError


def counting(name: str, order: list[tuple[str, int]]) -> Candidate:
    return Candidate(name, lambda repeat: order.append((name, repeat)) or {"seconds": 1.0})


def test_each_repeat_goes_once_through_all_candidates() -> None:
    order: list[tuple[str, int]] = []
    benchmark = Benchmark("", [counting("ours", order), counting("peer", order)], [])
    Harness().measure(benchmark, 2)
    assert order == [("ours", 1), ("peer", 1), ("ours", 2), ("peer", 2)]
    assert [(trial.candidate, trial.repeat) for trial in benchmark.trials] == order


def test_a_warm_up_is_run_and_not_kept(capsys: pytest.CaptureFixture[str]) -> None:
    order: list[tuple[str, int]] = []
    benchmark = Harness().measure(Benchmark("count", [counting("ours", order)], []), 2, warm_up=True)
    assert order == [("ours", 0), ("ours", 1), ("ours", 2)]
    assert [trial.repeat for trial in benchmark.trials] == [1, 2]
    said = capsys.readouterr().err.splitlines()
    assert said[:3] == [
        "count, warm-up: ours ...",
        "count, repeat 1 of 2: ours ...",
        "count, repeat 1: ours: seconds 1",
    ]


def test_a_candidate_that_fails_does_not_end_the_trials_of_the_others() -> None:
    def sometimes(repeat: int) -> dict[str, float]:
        if repeat == 1:
            raise TrialFailedError("the checkout has no data")
        return {"seconds": 2.0}

    def always(repeat: int) -> dict[str, float]:
        raise ZeroDivisionError("by nothing")

    candidates = [Candidate("a", sometimes), Candidate("b", always), Candidate("c", lambda repeat: {"seconds": 1})]
    benchmark = Harness().measure(Benchmark("", candidates, []), 2)
    assert [(trial.candidate, trial.failure) for trial in benchmark.trials] == [
        ("a", "the checkout has no data"), ("b", "ZeroDivisionError: by nothing"), ("c", ""),
        ("a", ""), ("b", "ZeroDivisionError: by nothing"), ("c", ""),
    ]  # fmt: skip
    assert [(trial.candidate, trial.repeat) for trial in benchmark.failures] == [("a", 1), ("b", 1), ("b", 2)]


def test_an_interruption_keeps_the_trials_before_it() -> None:
    def interrupted(repeat: int) -> dict[str, float]:
        if repeat == 2:
            raise KeyboardInterrupt
        return {"seconds": 1.0}

    benchmark = Benchmark("", [Candidate("ours", interrupted)], [])
    with pytest.raises(KeyboardInterrupt):
        Harness().measure(benchmark, 3)
    assert [trial.repeat for trial in benchmark.trials] == [1]


def test_a_note_is_kept_and_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    harness = Harness()
    for _ in range(2):
        harness.note("nanoGPT is left out")
    assert harness.notes == ["nanoGPT is left out"]
    assert capsys.readouterr().err == "nanoGPT is left out\n"
