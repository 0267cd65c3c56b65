"""How long a redraw of the train desk's chart takes, how long a run takes to open, and what it costs to follow one.

    python tests/benchmarks/run_chart.py [--runs 4] [--points 100000] [--lines 200000]

A redraw is all of it: the curves anew from the runs' histories, in cells, in the colours of the terminal.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from minigpt_tui.engine.events import (
    TRAINING_EVENTS,
    CheckpointSaved,
    Evaluation,
    Started,
    Step,
    TrainingEvent,
)
from minigpt_tui.engine.history.reader import HistoryReader
from minigpt_tui.tui.widgets.run_chart import RunChart
from textual.app import App, ComposeResult

STEPS = 1_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=4)
    parser.add_argument("--points", type=int, default=100_000, help="of each run in the chart")
    parser.add_argument("--lines", type=int, default=200_000, help="of the run of a million steps that is opened")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        long = Path(folder, "long.jsonl")
        write(long, arguments.lines, 0)
        opening(long)
        following(long, arguments.lines)
        paths = [Path(folder, f"{number}.jsonl") for number in range(arguments.runs)]
        for number, path in enumerate(paths):
            write(path, arguments.points, number)
        asyncio.run(redraws(paths))


def write(path: Path, lines: int, seed: int) -> None:
    """A run of STEPS steps that is reported in so many lines."""
    with path.open("w") as file:
        file.writelines(TRAINING_EVENTS.encode(event) for event in course(lines, seed))


def course(lines: int, seed: int) -> Iterator[TrainingEvent]:
    noise = random.Random(seed)
    yield Started(0, STEPS, 800_000, 62, 900_000, 100_000, "cpu", "CPU", "float32", 1, "no GPU", 0.0, 1.1)
    for number in range(1, lines + 1):
        step, level = number * STEPS // lines, 1.5 + 0.1 * seed + 2.5 * math.exp(-number / lines * 8)
        loss, norm = level + noise.gauss(0, 0.05), 0.5 + noise.random()
        yield Step(step, STEPS, step * 768, number / 5, 1.0, loss, 1e-3, norm, 15e3 + noise.random(), 310_000_000)
        if number % 250 == 0:
            yield Evaluation(step, number / 5, level + 0.1, math.exp(level), level, "full", True)
            yield CheckpointSaved(step, "last")


def opening(path: Path) -> None:
    times, whole = [], []
    for _ in range(5):
        began = time.perf_counter()
        reader = HistoryReader(path)
        times.append(time.perf_counter() - began)
        reader.read_all()
        whole.append(time.perf_counter() - began)
    print(f"open, {path.stat().st_size / 1e6:.0f} MB: first picture {statistics.median(times):.2f} s, "
          f"all of it {statistics.median(whole):.2f} s (medians of 5)")  # fmt: skip
    print(f"peak memory of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def following(path: Path, lines: int) -> None:
    """Five lines a second for a minute, read twice a second, without waiting in between."""
    reader = HistoryReader(path)
    reader.read_all()
    with path.open("a") as file:
        began, spent = time.perf_counter(), 0.0
        for poll in range(120):
            for number in range(3):
                step = STEPS + 3 * poll + number + 1
                file.write(TRAINING_EVENTS.encode(
                    Step(step, None, step * 768, step / 5, 1.0, 1.5, 1e-3, 0.5, 15e3, 310_000_000)
                ))  # fmt: skip
            file.flush()
            began = time.perf_counter()
            reader.poll()
            spent += time.perf_counter() - began
    print(f"follow: {spent / 60:.2%} of a core, without drawing")


class Chart(App[None]):
    """Nothing but the chart."""

    def compose(self) -> ComposeResult:
        yield RunChart()


async def redraws(paths: list[Path]) -> None:
    histories = [(path.stem, HistoryReader(path).read_all()) for path in paths]
    for runs in (histories[:1], histories):
        async with Chart().run_test(size=(120, 32)) as pilot:
            chart = pilot.app.query_one(RunChart)
            chart.show(runs)
            await pilot.pause()
            times = {"whole": [], "zoomed": [], "cursor": []}
            for _ in range(30):
                times["whole"].append(redraw(chart, chart.action_log))
            chart.action_zoom(0.25)
            for _ in range(30):
                times["zoomed"].append(redraw(chart, chart.action_log))
            for _ in range(30):
                times["cursor"].append(redraw(chart, partial(chart.action_cursor, -1)))
        figures = ", ".join(
            f"{name} {statistics.median(each) * 1e3:.1f} ms (least {min(each) * 1e3:.1f})"
            for name, each in times.items()
        )
        print(f"redraw of {len(runs)} runs: {figures} (medians of 30)")


def redraw(chart: RunChart, change: Callable[[], None]) -> float:
    change()
    began = time.perf_counter()
    for row in range(chart.size.height):
        chart.render_line(row)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
