"""The arithmetic of medians and ratios; the table stays aligned and narrow; the line of JSON has every figure."""

import json

from benchmarks.harness import Benchmark, Candidate, Comparison, Harness, Trial
from benchmarks.machine import Machine
from benchmarks.report import WIDTH, Line, Ratio, Summary, compare, figures, json_line, summarise, table, text

MACHINE = Machine("Some CPU", 2, 24 * 10**9, "", "Linux 6")


def measured(
    ours: list[float], theirs: list[float], comparison: Comparison, name: str = "time-to-loss"
) -> tuple[Harness, Benchmark]:
    harness = Harness()
    candidates = [
        Candidate("ours", lambda repeat: {"whole": ours[repeat - 1]}),
        Candidate("nanoGPT", lambda repeat: {"whole": theirs[repeat - 1]}),
    ]
    benchmark = harness.measure(Benchmark(name, candidates, [comparison]), len(ours))
    return harness, benchmark


def test_a_line_shows_medians_ranges_and_both_ratios() -> None:
    comparison = Comparison("whole process", "whole", "s", "nanoGPT", target="15 x", limit=1.0)
    _, benchmark = measured([4.0, 5.0, 4.5], [80.0, 70.0, 90.0], comparison)
    assert Line.of(benchmark, comparison).cells() == (
        "time-to-loss: whole process, s", "nanoGPT", "80.0 (70.0 to 90.0)", "4.500 (4.000 to 5.000)", "17.78 (20.00)",
        "15 x", "1.000",
    )  # fmt: skip


def test_losses_are_compared_by_their_difference() -> None:
    comparison = Comparison("loss", "whole", "nats", "nanoGPT", ratio=False)
    _, benchmark = measured([1.53], [1.898], comparison)
    assert Line.of(benchmark, comparison).cells()[4] == "-0.368"


def test_a_figure_of_a_trial_may_be_the_limit_of_a_comparison() -> None:
    candidate = Candidate("ours", lambda repeat: {"pace": 50.0, "peak": 80.0})
    benchmark = Benchmark("pace", [candidate], [Comparison("warm", "pace", "", limit="peak")])
    Harness().measure(benchmark, 1)
    assert Line.of(benchmark, benchmark.comparisons[0]).limit == 80.0


def test_the_table_is_aligned_and_at_most_as_wide_as_it_may_be() -> None:
    long = Comparison("seconds from the start of the process until the loss was there, any block", "whole", "s",
                      "nanoGPT", target="15 x, or 6 s with a block that exports")  # fmt: skip
    harness, benchmark = measured([4.0, 5.0], [80.0, 70.0], long)
    drawn = table([Line.of(benchmark, long)] * 2).split("\n")
    assert all(len(line) <= WIDTH for line in drawn)
    column = drawn[0].index("peer")
    assert drawn[2][column:].startswith("nanoGPT")
    assert drawn[2][column - 2 : column] == "  "
    assert "limit" not in drawn[0], "a column that is empty everywhere is left out"
    one = drawn[2 : 2 + (len(drawn) - 2) // 2]
    assert " ".join(filter(None, (line[: column - 2].strip() for line in one))) == (
        "time-to-loss: seconds from the start of the process until the loss was there, any block, s"
    )
    target = drawn[0].index("target")
    assert " ".join(filter(None, (line[target:].strip() for line in one))) == "15 x, or 6 s with a block that exports"
    assert all(len(line) <= WIDTH for line in text(harness, MACHINE, {"python": "3.11"}, "today", "bench").split("\n"))


def test_the_line_of_json_has_every_figure() -> None:
    harness, _ = measured([4.0, 5.0], [80.0, 70.0], Comparison("whole process", "whole", "s", "nanoGPT"))
    harness.note("a choice that was made")
    line = json_line(harness, MACHINE, {"python": "3.11"}, "2026-01-01", "benchmarks", interrupted=False)
    assert "\n" not in line
    content = json.loads(line)
    (benchmark,) = content["benchmarks"]
    assert [(trial["candidate"], trial["repeat"], trial["figures"]) for trial in benchmark["trials"]] == [
        ("ours", 1, {"whole": 4.0}), ("nanoGPT", 1, {"whole": 80.0}),
        ("ours", 2, {"whole": 5.0}), ("nanoGPT", 2, {"whole": 70.0}),
    ]  # fmt: skip
    assert content["lines"][0]["ours_summary"] == {"median": 4.5, "mean": 4.5, "low": 4.0, "high": 5.0, "count": 2}
    assert content["lines"][0]["ratios"] == {"of_medians": 75 / 4.5, "by_repeat": 17.0}
    assert content["machine"]["cpu"] == "Some CPU"
    assert (content["notes"], content["interrupted"]) == (["a choice that was made"], False)


def test_medians_and_ranges_are_as_defined() -> None:
    assert summarise({1: 3.0, 2: 1.0, 3: 8.0}) == Summary(3.0, 4.0, 1.0, 8.0, 3)
    assert summarise({1: 3.0, 2: 1.0}) == Summary(2.0, 2.0, 1.0, 3.0, 2)
    assert summarise({}) is None


def test_ratios_are_above_one_where_ours_is_better() -> None:
    ours, theirs = {1: 2.0, 2: 4.0, 3: 5.0}, {1: 10.0, 2: 8.0, 3: 40.0}
    # medians 4 and 10; repeat by repeat 5, 2 and 8
    assert compare(ours, theirs, "lower") == Ratio(2.5, 5.0)
    assert compare(ours, theirs, "higher") == Ratio(0.4, 0.2)


def test_ratios_by_repeat_are_of_the_repeats_that_both_have() -> None:
    assert compare({1: 2.0, 3: 4.0}, {2: 6.0, 3: 12.0}, "lower") == Ratio(3.0, 3.0)
    assert compare({1: 2.0}, {2: 6.0}, "lower") == Ratio(3.0, None)
    assert compare({}, {2: 6.0}, "lower") is None
    assert compare({1: 0.0}, {1: 6.0}, "lower") is None


def test_a_fact_in_words_is_no_figure() -> None:
    trials = [Trial("ours", 1, {"seconds": 1.5, "gpu": "H200"})]
    assert figures(trials, "ours", "gpu") == {}
    assert figures(trials, "ours", "seconds") == {1: 1.5}
