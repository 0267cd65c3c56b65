"""A bench from its parsed command line to its table and its exit code."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import signal
import sys
from collections.abc import Iterator, Sequence

from .machine import command_line, this_machine, today, versions
from .measurements import Measurements
from .options import KINDS, add_bench_options
from .report import json_line, text

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


def main(words: Sequence[str] | None = None) -> int:
    """`python -m minigpt_tui.engine.bench`: the benches where the app's own packages are absent."""
    parser = argparse.ArgumentParser(prog="python -m minigpt_tui.engine.bench")
    add_bench_options(parser)
    return run(parser.parse_args(words))


def run(arguments: argparse.Namespace) -> int:
    """Run the bench `arguments.kind` and print what it measured, whatever ended it; returns the exit code."""
    module = importlib.import_module(f".{KINDS[arguments.kind].module}", __package__)
    bench, date = Measurements(), today()
    code = DONE
    try:
        with _terminated_as_interrupted():
            module.run(arguments, bench)
    except KeyboardInterrupt:
        so_far = "this is what" if _has_turns(bench) else "nothing"
        bench.say(f"interrupted; {so_far} was measured so far")
        code = INTERRUPTED
    except Exception as error:
        if not (isinstance(error, OSError) or type(error).__module__.startswith("minigpt_tui.")):
            raise
        bench.say(f"minigpt-tui: {error}")
        code = USAGE
    if _has_turns(bench):
        _print(bench, date, interrupted=code == INTERRUPTED)
    if code == DONE and any(work.failures for work in bench.works):
        return FAILED
    return code


def _has_turns(bench: Measurements) -> bool:
    return any(work.turns for work in bench.works)


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """A bench that is told to end says what it has measured, as one that is interrupted does."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _print(bench: Measurements, date: str, *, interrupted: bool) -> None:
    gpus = {str(turn.figures["gpu"]) for work in bench.works for turn in work.turns if turn.figures.get("gpu")}
    where = (this_machine(", ".join(sorted(gpus))), versions(), date, command_line())
    print(f"{text(bench, *where)}\n\n{json_line(bench, *where, interrupted=interrupted)}")
    sys.stdout.flush()
