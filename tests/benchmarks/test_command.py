"""What is printed whatever ends a suite, and with which exit code; and what the process loads."""

import argparse
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import NoReturn

import pytest

from benchmarks import command
from benchmarks.harness import Benchmark, Candidate, Comparison, Harness, TrialFailedError
from benchmarks.processes import environment


def suite_that(ends: Callable[[], object]) -> command.Suite:
    """A suite of one benchmark with one trial, after which this happens."""

    def run(arguments: argparse.Namespace, harness: Harness) -> None:
        ours = Candidate("ours", lambda repeat: {"seconds": 2.0})
        harness.measure(Benchmark("counting", [ours], [Comparison("whole", "seconds", "s")]), 1)
        ends()

    return run


def interrupt() -> NoReturn:
    raise KeyboardInterrupt


def refuse() -> NoReturn:
    raise TrialFailedError("there is no such corpus; name another one")


def terminate() -> None:
    signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize(
    ("ends", "code", "interrupted", "said"),
    [
        pytest.param(lambda: None, command.DONE, False, "", id="done"),
        pytest.param(interrupt, command.INTERRUPTED, True, "interrupted", id="ctrl-c"),
        pytest.param(terminate, command.INTERRUPTED, True, "interrupted", id="sigterm"),
        pytest.param(refuse, command.USAGE, False, "there is no such corpus", id="refused"),
    ],
)
def test_what_was_measured_is_printed_whatever_ends_the_suite(
    ends: Callable[[], object], code: int, interrupted: bool, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.run(suite_that(ends), argparse.Namespace()) == code
    out, errors = capsys.readouterr()
    content = json.loads(out.splitlines()[-1])
    assert content["interrupted"] is interrupted
    assert content["benchmarks"][0]["trials"][0]["figures"] == {"seconds": 2.0}
    assert "counting: whole, s" in out
    assert "counting, repeat 1 of 1: ours ..." in errors
    assert said in errors


def test_an_interruption_before_the_first_figure_promises_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run(lambda arguments, harness: interrupt(), argparse.Namespace()) == command.INTERRUPTED
    assert capsys.readouterr() == ("", "interrupted; nothing was measured so far\n")


def test_a_failed_trial_is_said_below_the_table_and_in_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    def suite(arguments: argparse.Namespace, harness: Harness) -> None:
        candidates = [Candidate("ours", lambda repeat: {"seconds": 2.0}), Candidate("peer", lambda repeat: refuse())]
        harness.measure(Benchmark("counting", candidates, [Comparison("whole", "seconds", "s", "peer")]), 1)

    assert command.run(suite, argparse.Namespace()) == command.FAILED
    assert "counting, repeat 1: peer failed: there is no such corpus" in capsys.readouterr().out


def test_a_workload_that_is_not_known_is_refused_with_the_names(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["train", "gpu-quantity"])
    assert "there is no workload 'gpu-quantity'; there are: cpu-time-to-loss" in capsys.readouterr().err


def test_the_package_is_a_command_that_loads_neither_torch_nor_what_draws() -> None:
    program = "import sys; sys.argv[1:] = ['train', '--list']; import benchmarks.command as c; c.main()"
    program += "; print(*{'torch', 'textual', 'rich'} & set(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment())
    assert (done.returncode, done.stderr.strip()) == (0, "")
    shown = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--help"], capture_output=True, text=True, check=True, env=environment()
    )
    assert "SUITE" in shown.stdout
