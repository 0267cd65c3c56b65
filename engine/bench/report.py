"""What a bench prints: a table for people and, last, one line of JSON with every figure."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from ...data.storage.typed_json import to_plain
from .machine import Machine
from .measurements import Comparison, Measurements, Work
from .turns import Average, Ratio, Summary, compare, figures, summarise

WIDTH = 120
_HEADINGS = ("work", "peer", "peer's figure", "ours", "ratio", "target", "limit")
_ALWAYS, _TARGET = ("work", "ours"), _HEADINGS.index("target")  # columns that are there when empty; one that is broken
_LEAST_WORK, _WIDEST_TARGET = 24, 20
_GAP = "  "
_LEGEND = (
    "Figures are medians, with the smallest and the largest. A ratio is that of the medians, above 1 where ours is "
    "better, with the median of the ratios turn by turn in brackets; of a loss it is the difference, ours less the "
    "peer's."
)


@dataclass(frozen=True)
class Line:
    """A comparison with its figures."""

    work: str
    comparison: Comparison
    ours: Summary | None
    peer: Summary | None
    ratio: Ratio | None
    limit: float | None

    @classmethod
    def of(cls, work: Work, comparison: Comparison) -> Line:
        """The line of `comparison`, of whatever turns `work` has had."""
        ours = figures(work.turns, comparison.ours, comparison.figure)
        theirs = figures(work.turns, comparison.peer, comparison.figure)
        ratio = compare(ours, theirs, comparison.better) if comparison.ratio else None
        limit = comparison.limit
        if isinstance(limit, str):
            found = summarise(figures(work.turns, comparison.ours, limit))
            limit = found.median if found else None
        return cls(work.name, comparison, summarise(ours), summarise(theirs), ratio, limit)

    @property
    def difference(self) -> float | None:
        """Our median or mean less the peer's, for what no ratio can compare."""
        by = self.comparison.by
        return getattr(self.ours, by) - getattr(self.peer, by) if self.ours and self.peer else None

    def cells(self) -> tuple[str, ...]:
        """The line as it stands in the table, in the order of the headings."""
        unit, by = self.comparison.unit, self.comparison.by
        return (
            f"{self.work}: {self.comparison.what}" + (f", {unit}" if unit else ""),
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
        by_turn = "" if self.ratio.by_turn is None else f" ({self.ratio.by_turn:.2f})"
        return f"{self.ratio.of_medians:.2f}{by_turn}"


def lines_of(bench: Measurements) -> list[Line]:
    """Every comparison of every work that was begun."""
    return [Line.of(work, comparison) for work in bench.works for comparison in work.comparisons]


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
    widths[0] = min(widths[0], max(_LEAST_WORK, room))
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


def text(bench: Measurements, machine: Machine, versions: dict[str, str], date: str, command: str) -> str:
    """All for people: where and how it was measured, the table, and what there is to say about it."""
    packages = ", ".join(f"{name} {version}" for name, version in versions.items())
    parts = [f"{machine}\n{packages}; {date}\n{command}", table(lines_of(bench))]
    failures = [
        f"{work.name}, repeat {turn.repeat}: {turn.contestant} failed: {turn.failure}"
        for work in bench.works
        for turn in work.failures
    ]
    parts += ["\n".join(textwrap.fill(sentence, WIDTH) for sentence in (_LEGEND, *bench.notes, *failures))]
    return "\n\n".join(parts)


def json_line(
    bench: Measurements, machine: Machine, versions: dict[str, str], date: str, command: str, *, interrupted: bool
) -> str:
    """All for programs: one object on one line."""
    content: dict[str, Any] = {
        "bench": [_plain_work(work) for work in bench.works],
        "lines": [_plain_line(line) for line in lines_of(bench)],
        "notes": bench.notes,
        "machine": machine,
        "versions": versions,
        "date": date,
        "command": command,
        "interrupted": interrupted,
    }
    return json.dumps(to_plain(content), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _plain_work(work: Work) -> dict[str, Any]:
    return {"work": work.name, "turns": work.turns}


def _plain_line(line: Line) -> dict[str, Any]:
    return {"work": line.work, **to_plain(line.comparison), "ours_summary": line.ours, "peer_summary": line.peer,
            "ratios": line.ratio, "difference": line.difference, "limit": line.limit}  # fmt: skip


def _summary(summary: Summary | None, by: Average) -> str:
    if summary is None:
        return "–"
    if summary.count == 1:
        return number(summary.median)
    shown = number(summary.median) if by == "median" else f"mean {number(summary.mean)}"
    return f"{shown} ({number(summary.low)} to {number(summary.high)})"
