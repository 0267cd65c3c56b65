"""The command line of the benchmarks: its suites, what is printed and when, and the exit code."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
from collections.abc import Callable, Iterator, Sequence

from minigpt_tui.data.storage.errors import EXPECTED, sentence_of

from .generate import suite as generation
from .gpu import check as gpu_check
from .harness import Harness
from .machine import command_line, this_machine, today, versions
from .report import json_line, text
from .train import suite as training

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130

Suite = Callable[[argparse.Namespace, Harness], None]


def main(words: Sequence[str] | None = None) -> int:
    """Run the suite that the command line names; returns the exit code."""
    arguments = build_parser().parse_args(words)
    return run(arguments.suite, arguments)


def run(suite: Suite, arguments: argparse.Namespace) -> int:
    """Run a suite and print what it measured, whatever ended it; returns the exit code."""
    harness, date = Harness(), today()
    code = DONE
    try:
        with _terminated_as_interrupted():
            suite(arguments, harness)
    except KeyboardInterrupt:
        so_far = "this is what" if _has_trials(harness) else "nothing"
        harness.say(f"interrupted; {so_far} was measured so far")
        code = INTERRUPTED
    except EXPECTED as error:
        harness.say(f"benchmarks: {sentence_of(error)}")
        code = USAGE
    if _has_trials(harness):
        _print(harness, date, interrupted=code == INTERRUPTED)
    if code == DONE and any(benchmark.failures for benchmark in harness.benchmarks):
        return FAILED
    return code


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(
        prog="benchmarks",
        description=(
            "Measure this machine with the engine, beside other programs where they are there. A table goes to "
            "standard output with one line of JSON last, which has every figure; what runs just now is told on "
            "standard error. Ctrl-C ends it with what was measured until then."
        ),
    )
    suites = parser.add_subparsers(required=True, metavar="SUITE")
    train = suites.add_parser("train", help="seconds, losses and tokens a second of training")
    training.add_options(train)
    train.set_defaults(suite=training.run)
    generate = suites.add_parser("generate", help="tokens a second, and the time to the first")
    generation.add_options(generate)
    generate.set_defaults(suite=generation.run)
    check = suites.add_parser("gpu-check", help="all that only a GPU can show")
    gpu_check.add_options(check)
    check.set_defaults(suite=gpu_check.run)
    return parser


def _has_trials(harness: Harness) -> bool:
    return any(benchmark.trials for benchmark in harness.benchmarks)


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM end the suite as Ctrl-C does, so that what was measured is printed."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _print(harness: Harness, date: str, *, interrupted: bool) -> None:
    trials = [trial for benchmark in harness.benchmarks for trial in benchmark.trials]
    gpus = {str(trial.figures["gpu"]) for trial in trials if trial.figures.get("gpu")}
    where = (this_machine(", ".join(sorted(gpus))), versions(), date, command_line())
    print(f"{text(harness, *where)}\n\n{json_line(harness, *where, interrupted=interrupted)}")
    sys.stdout.flush()
