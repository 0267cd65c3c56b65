"""What is printed: a table of medians, ranges and ratios for people and, last, one line of JSON with every figure."""

from __future__ import annotations

import json
import statistics
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from minigpt_tui.data.storage.typed_json import to_plain

from .harness import Average, Benchmark, Better, Comparison, Harness, Trial
from .machine import Machine

WIDTH = 120
_HEADINGS = ("benchmark", "peer", "peer's figure", "ours", "ratio", "target", "limit")
_ALWAYS, _TARGET = (
    ("benchmark", "ours"),
    _HEADINGS.index("target"),
)  # columns that are there when empty; one that is broken
_NARROWEST_NAME, _WIDEST_TARGET = 24, 20
_GAP = "  "
_LEGEND = (
    "Figures are medians, with the smallest and the largest. A ratio is that of the medians, above 1 where ours is "
    "better, with the median of the ratios repeat by repeat in brackets; of a loss it is the difference, ours less the "
    "peer's."
)


def figures(trials: Iterable[Trial], candidate: str, name: str) -> dict[int, float]:
    """The candidate's figures of that name by repeat; repeats that failed or lack the figure are absent."""
    found = {trial.repeat: trial.figures.get(name) for trial in trials if trial.candidate == candidate}
    return {repeat: value for repeat, value in found.items() if isinstance(value, (int, float))}


@dataclass(frozen=True)
class Summary:
    """The figures of several repeats in short."""

    median: float
    mean: float
    low: float
    high: float
    count: int


def summarise(values: Mapping[int, float]) -> Summary | None:
    """The summary of the figures; None where there are none."""
    if not values:
        return None
    found = list(values.values())
    return Summary(statistics.median(found), statistics.fmean(found), min(found), max(found), len(found))


@dataclass(frozen=True)
class Ratio:
    """How many times as good as the peer we are; above 1 is better than the peer."""

    of_medians: float
    by_repeat: float | None  # the median of the ratios within each repeat; None where no repeat has both figures


def compare(ours: Mapping[int, float], theirs: Mapping[int, float], better: Better) -> Ratio | None:
    """The ratio of two candidates' figures; None where one has none, or a figure that nothing can be divided by."""
    if not ours or not theirs or not all((*ours.values(), *theirs.values())):
        return None
    above, below = (ours, theirs) if better == "higher" else (theirs, ours)
    both = [above[repeat] / below[repeat] for repeat in above if repeat in below]
    return Ratio(
        statistics.median(above.values()) / statistics.median(below.values()),
        statistics.median(both) if both else None,
    )


@dataclass(frozen=True)
class Line:
    """A comparison with its figures."""

    benchmark: str
    comparison: Comparison
    ours: Summary | None
    peer: Summary | None
    ratio: Ratio | None
    limit: float | None

    @classmethod
    def of(cls, benchmark: Benchmark, comparison: Comparison) -> Line:
        """The line of `comparison`, of whatever trials `benchmark` has had."""
        ours = figures(benchmark.trials, comparison.ours, comparison.figure)
        theirs = figures(benchmark.trials, comparison.peer, comparison.figure)
        ratio = compare(ours, theirs, comparison.better) if comparison.ratio else None
        limit = comparison.limit
        if isinstance(limit, str):
            found = summarise(figures(benchmark.trials, comparison.ours, limit))
            limit = found.median if found else None
        return cls(benchmark.name, comparison, summarise(ours), summarise(theirs), ratio, limit)

    @property
    def difference(self) -> float | None:
        """Our median or mean less the peer's, for what no ratio can compare."""
        by = self.comparison.by
        return getattr(self.ours, by) - getattr(self.peer, by) if self.ours and self.peer else None

    def cells(self) -> tuple[str, ...]:
        """The line as it stands in the table, in the order of the headings."""
        unit, by = self.comparison.unit, self.comparison.by
        return (
            f"{self.benchmark}: {self.comparison.what}" + (f", {unit}" if unit else ""),
            self.comparison.peer,
            _summary(self.peer, by) if self.comparison.peer else "",
            _summary(self.ours, by),
            self._ratio(),
            self.comparison.target,
            "" if self.limit is None else number(self.limit),
        )

    def _ratio(self) -> str:
        if not self.comparison.ratio:
            return "" if self.difference is None else f"{self.difference:+.3f}"
        if self.ratio is None:
            return ""
        by_repeat = "" if self.ratio.by_repeat is None else f" ({self.ratio.by_repeat:.2f})"
        return f"{self.ratio.of_medians:.2f}{by_repeat}"


def lines_of(harness: Harness) -> list[Line]:
    """Every comparison of every benchmark that was begun."""
    return [Line.of(benchmark, comparison) for benchmark in harness.benchmarks for comparison in benchmark.comparisons]


def table(lines: Sequence[Line]) -> str:
    """The lines below their headings, aligned; long names and targets are broken, so that it stays within WIDTH."""
    rows = [_HEADINGS, *(line.cells() for line in lines)]
    used = [
        column for column, heading in enumerate(_HEADINGS) if heading in _ALWAYS or any(r[column] for r in rows[1:])
    ]
    widths = {column: max(len(row[column]) for row in rows) for column in used}
    if _TARGET in widths:
        widths[_TARGET] = min(widths[_TARGET], _WIDEST_TARGET)
    room = WIDTH - sum(widths[column] + len(_GAP) for column in used[1:])
    widths[0] = min(widths[0], max(_NARROWEST_NAME, room))
    drawn = ["\n".join(_broken(row, widths)) for row in rows]
    rule = _GAP.join("-" * width for width in widths.values())
    return "\n".join([drawn[0], rule, *drawn[1:]])


def _broken(row: Sequence[str], widths: dict[int, int]) -> list[str]:
    """A row of cells as lines, each cell within its column."""
    cells = [textwrap.wrap(row[column], width) or [""] for column, width in widths.items()]
    lines = zip_longest(*cells, fillvalue="")
    return [
        _GAP.join(part.ljust(width) for part, width in zip(line, widths.values(), strict=True)).rstrip()
        for line in lines
    ]


def number(value: float) -> str:
    """Four figures at most for people: 1.876, 23.4, 612, 4,012,000."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}" if abs(value) < 100 else f"{value:.0f}"


def text(harness: Harness, machine: Machine, versions: dict[str, str], date: str, command: str) -> str:
    """All for people: where and how it was measured, the table, and what there is to say about it."""
    packages = ", ".join(f"{name} {version}" for name, version in versions.items())
    parts = [f"{machine}\n{packages}; {date}\n{command}", table(lines_of(harness))]
    failures = [
        f"{benchmark.name}, repeat {trial.repeat}: {trial.candidate} failed: {trial.failure}"
        for benchmark in harness.benchmarks
        for trial in benchmark.failures
    ]
    parts += ["\n".join(textwrap.fill(sentence, WIDTH) for sentence in (_LEGEND, *harness.notes, *failures))]
    return "\n\n".join(parts)


def json_line(
    harness: Harness, machine: Machine, versions: dict[str, str], date: str, command: str, *, interrupted: bool
) -> str:
    """All for programs: one object on one line."""
    content: dict[str, Any] = {
        "benchmarks": [{"name": benchmark.name, "trials": benchmark.trials} for benchmark in harness.benchmarks],
        "lines": [_plain_line(line) for line in lines_of(harness)],
        "notes": harness.notes,
        "machine": machine,
        "versions": versions,
        "date": date,
        "command": command,
        "interrupted": interrupted,
    }
    return json.dumps(to_plain(content), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _plain_line(line: Line) -> dict[str, Any]:
    return {
        "benchmark": line.benchmark, **to_plain(line.comparison), "ours_summary": line.ours,
        "peer_summary": line.peer, "ratios": line.ratio, "difference": line.difference, "limit": line.limit,
    }  # fmt: skip


def _summary(summary: Summary | None, by: Average) -> str:
    if summary is None:
        return "–"
    if summary.count == 1:
        return number(summary.median)
    shown = number(summary.median) if by == "median" else f"mean {number(summary.mean)}"
    return f"{shown} ({number(summary.low)} to {number(summary.high)})"
