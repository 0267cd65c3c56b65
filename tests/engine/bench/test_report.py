"""The table stays aligned and narrow; the line of JSON has every figure; an interruption loses none."""

import argparse
import json
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest
from minigpt_tui.engine.bench import command
from minigpt_tui.engine.bench.machine import Machine
from minigpt_tui.engine.bench.measurements import Comparison, Measurements, Work
from minigpt_tui.engine.bench.options import KINDS, Kind
from minigpt_tui.engine.bench.report import WIDTH, Line, json_line, table, text
from minigpt_tui.engine.bench.turns import Contestant, TurnFailedError

MACHINE = Machine("Some CPU", 2, 24 * 10**9, "", "Linux 6")


def measured(
    ours: list[float], theirs: list[float], comparison: Comparison, name: str = "time-to-loss"
) -> tuple[Measurements, Work]:
    bench = Measurements()
    contestants = [
        Contestant("ours", lambda repeat: {"whole": ours[repeat - 1]}),
        Contestant("nanoGPT", lambda repeat: {"whole": theirs[repeat - 1]}),
    ]
    work = bench.measure(Work(name, contestants, [comparison]), len(ours))
    return bench, work


def test_a_line_shows_medians_ranges_and_both_ratios() -> None:
    comparison = Comparison("whole process", "whole", "s", "nanoGPT", target="15 x", limit=1.0)
    _, work = measured([4.0, 5.0, 4.5], [80.0, 70.0, 90.0], comparison)
    assert Line.of(work, comparison).cells() == (
        "time-to-loss: whole process, s", "nanoGPT", "80.0 (70.0 to 90.0)", "4.500 (4.000 to 5.000)", "17.78 (20.00)",
        "15 x", "1.000",
    )  # fmt: skip


def test_losses_are_compared_by_their_difference() -> None:
    comparison = Comparison("loss", "whole", "nats", "nanoGPT", ratio=False)
    _, work = measured([1.53], [1.898], comparison)
    assert Line.of(work, comparison).cells()[4] == "-0.368"


def test_the_table_is_aligned_and_at_most_as_wide_as_it_may_be() -> None:
    long = Comparison("seconds from the start of the process until the loss was there, any block", "whole", "s",
                      "nanoGPT", target="15 x, or 6 s with a block that exports")  # fmt: skip
    bench, work = measured([4.0, 5.0], [80.0, 70.0], long)
    drawn = table([Line.of(work, long)] * 2).split("\n")
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
    assert all(len(line) <= WIDTH for line in text(bench, MACHINE, {"python": "3.11"}, "today", "bench").split("\n"))


def test_the_line_of_json_has_every_figure() -> None:
    bench, _ = measured([4.0, 5.0], [80.0, 70.0], Comparison("whole process", "whole", "s", "nanoGPT"))
    bench.note("a choice that was made")
    line = json_line(bench, MACHINE, {"python": "3.11"}, "2026-01-01", "minigpt-tui bench", interrupted=False)
    assert "\n" not in line
    content = json.loads(line)
    assert [(turn["contestant"], turn["repeat"], turn["figures"]) for turn in content["bench"][0]["turns"]] == [
        ("ours", 1, {"whole": 4.0}), ("nanoGPT", 1, {"whole": 80.0}),
        ("ours", 2, {"whole": 5.0}), ("nanoGPT", 2, {"whole": 70.0}),
    ]  # fmt: skip
    assert content["lines"][0]["ours_summary"] == {"median": 4.5, "mean": 4.5, "low": 4.0, "high": 5.0, "count": 2}
    assert content["lines"][0]["ratios"] == {"of_medians": 75 / 4.5, "by_turn": 17.0}
    assert content["machine"]["cpu"] == "Some CPU"
    assert (content["notes"], content["interrupted"]) == (["a choice that was made"], False)


def tiny_bench(ends: Callable[[], object]) -> Callable[[argparse.Namespace, Measurements], None]:
    def run(arguments: argparse.Namespace, bench: Measurements) -> None:
        work = Work("counting", [Contestant("ours", lambda repeat: {"seconds": 2.0})], [
            Comparison("whole", "seconds", "s")])  # fmt: skip
        bench.measure(work, 1)
        ends()

    return run


def run_kind(monkeypatch: pytest.MonkeyPatch, ends: Callable[[], object]) -> int:
    monkeypatch.setitem(KINDS, "tiny", Kind("counts", lambda parser: None, "turns"))
    monkeypatch.setattr("minigpt_tui.engine.bench.turns.run", tiny_bench(ends), raising=False)
    return command.main(["tiny"])


def interrupt() -> None:
    raise KeyboardInterrupt


def refuse() -> None:
    raise TurnFailedError("there is no such corpus; name another one")


def terminate() -> None:
    signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize(
    ("ends", "code", "interrupted", "said"),
    [
        (lambda: None, command.DONE, False, ""),
        (interrupt, command.INTERRUPTED, True, "interrupted"),
        (terminate, command.INTERRUPTED, True, "interrupted"),
        (refuse, command.USAGE, False, "there is no such corpus"),
    ],
)
def test_what_was_measured_is_printed_whatever_ends_the_bench(
    ends: Callable[[], object], code: int, interrupted: bool, said: str,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert run_kind(monkeypatch, ends) == code
    out, errors = capsys.readouterr()
    content = json.loads(out.splitlines()[-1])
    assert content["interrupted"] is interrupted
    assert content["bench"][0]["turns"][0]["figures"] == {"seconds": 2.0}
    assert "counting: whole, s" in out
    assert "counting, repeat 1 of 1: ours ..." in errors
    assert said in errors


def test_an_interruption_before_the_first_figure_promises_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(KINDS, "tiny", Kind("counts", lambda parser: None, "turns"))
    monkeypatch.setattr("minigpt_tui.engine.bench.turns.run", lambda arguments, bench: interrupt(), raising=False)
    assert command.main(["tiny"]) == command.INTERRUPTED
    assert capsys.readouterr() == ("", "interrupted; nothing was measured so far\n")


def test_a_failed_turn_is_said_below_the_table_and_in_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(arguments: argparse.Namespace, bench: Measurements) -> None:
        contestants = [Contestant("ours", lambda repeat: {"seconds": 2.0}), Contestant("peer", lambda repeat: refuse())]  # type: ignore[arg-type, return-value]
        bench.measure(Work("counting", contestants, [Comparison("whole", "seconds", "s", "peer")]), 1)

    monkeypatch.setitem(KINDS, "tiny", Kind("counts", lambda parser: None, "turns"))
    monkeypatch.setattr("minigpt_tui.engine.bench.turns.run", run, raising=False)
    assert command.main(["tiny"]) == command.FAILED
    assert "counting, repeat 1: peer failed: there is no such corpus" in capsys.readouterr().out


def test_the_module_is_a_command() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "minigpt_tui.engine.bench", "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert "KIND" in shown
