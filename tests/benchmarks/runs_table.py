"""How long the table of many runs takes to open in the app, and what keeping it up to date costs.

Key press to the paint of a row, in a terminal of 120x40; then the app's share of a core while the table is on the
screen, first with nothing that trains, then with one run whose status.json is written once a second.

python tests/benchmarks/runs_table.py [--runs 200] [--repeats 7] [--seconds 10]
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace

from minigpt_tui.engine.locks import acquire
from minigpt_tui.engine.run_about import change_about
from minigpt_tui.engine.runs import CorpusRecord, Run, RunManifest, RunStatus, create_run
from minigpt_tui.models.presets import preset
from pseudo_terminal import PseudoTerminal

OURS = [sys.executable, "-m", "minigpt_tui.tui"]
TALES = CorpusRecord("tales", "tales", "0" * 64, 1_000_000, 1_000_000)
CTRL_R = "\x12"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=10.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["MINIGPT_HOME"] = home
        runs = [make_run(number) for number in range(arguments.runs)]
        seconds = []
        for _ in range(arguments.repeats + 1):
            terminal = started(home)
            pressed = time.perf_counter()
            terminal.press(CTRL_R)
            seconds.append(terminal.wait_for("best @ step") - pressed)
            terminal.close()
        warm = sorted(seconds[1:])
        print(
            f"{arguments.runs} runs open: median {statistics.median(warm):.3f} s, {warm[0]:.3f} to {warm[-1]:.3f}, "
            f"{arguments.repeats} starts"
        )
        terminal = started(home)
        terminal.press(CTRL_R)
        terminal.wait_for("best @ step")
        print(f"nothing trains: {share(terminal, arguments.seconds, lambda: None):.1%} of a core")
        with acquire(runs[-1].lock_path) or sys.exit("locked"):
            print(f"one run trains: {share(terminal, arguments.seconds, lambda: go_on(runs[-1])):.1%} of a core")
        terminal.close()


def started(home: str) -> PseudoTerminal:
    """The app with its first desk."""
    terminal = PseudoTerminal(OURS, {"MINIGPT_HOME": home, "PYTHONDONTWRITEBYTECODE": ""})
    terminal.wait_for("no run yet")
    terminal.drain(1.5)
    return terminal


def make_run(number: int) -> Run:
    """A run that has ended; every fourth one is tagged and noted."""
    recipe = preset("quick")
    training = replace(recipe.training, learning_rate=1e-3 * (1 + number % 7))
    run = create_run(
        RunManifest(f"run-{number:03}", 1e9 + number, recipe.name, TALES, "char",
                    replace(recipe.model, vocab_size=62), training)
    )  # fmt: skip
    run.write_status(
        RunStatus("finished", 1, "host", 2000, 2000, 1e9, 1.6, 2.0, 1.9 - number / 1000, best_step=150,
                  bits_per_byte=2.7, parameters=800_000, tokens_per_second=15_000.0, seconds=60.0 * number)
    )  # fmt: skip
    if number % 4 == 0:
        change_about(run, tags=("good",), note="one of a grid")
    os.utime(run.path / "run.json", (1e9 + number, 1e9 + number))
    return run


def go_on(run: Run) -> None:
    """Write its status as a train process does."""
    status = run.status()
    assert status is not None
    run.write_status(
        replace(status, state="running", step=status.step % 1999 + 10, heartbeat=time.time(), remaining=80.0)
    )


def share(terminal: PseudoTerminal, seconds: float, work: Callable[[], object]) -> float:
    """How much of a core the app takes while `work` is done once a second."""
    before, begun = terminal.cpu_seconds(), time.perf_counter()
    while time.perf_counter() - begun < seconds:
        work()
        terminal.drain(1.0)
    return (terminal.cpu_seconds() - before) / (time.perf_counter() - begun)


if __name__ == "__main__":
    main()
