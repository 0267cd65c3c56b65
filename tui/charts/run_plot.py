"""What is drawn of one or several runs: their curves as dots, the scale they share, and what is marked.

`braille_plot` draws it in cells, `svg_plot` as a picture.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, NamedTuple

from ...engine.history.run_history import EVALUATED, NORMS, Axis, Curve, Mark, RunHistory
from .curve_dots import Dot, dots_of, smoothed, value_at
from .reference_lines import ReferenceLine
from .scale import Scale, fitted
from .series import LARGEST, SMALLEST

SMOOTHINGS = (0.0, 0.6, 0.9, 0.97, 0.99, 0.999)
Shown = Literal["both", "train", "validation"]
LOSS = "loss"


class PlottedRun(NamedTuple):
    """A run, the name that it is shown by, and the number of its colour."""

    name: str
    slot: int
    history: RunHistory


@dataclass(frozen=True)
class PlotSettings:
    """How runs are drawn. `start` and `end` are the part of the axis that is shown, None for the whole run's."""

    axis: Axis = "steps"
    logarithmic: bool = False
    smoothing: float = 0.9  # of the exponential moving average
    shown: Shown = "both"
    start: float | None = None
    end: float | None = None  # None: the newest, whatever comes
    references: tuple[ReferenceLine, ...] = ()


@dataclass
class Line:
    """One curve of a run: what was read, and the same smoothed."""

    slot: int
    validation: bool
    dots: list[Dot]
    values: list[float]  # one for each dot

    def at(self, x: float) -> float | None:
        """The smoothed value at a column of dots, None where the curve is not."""
        return value_at(self.dots, self.values, x)

    def last(self, width: int) -> float | None:
        """The smoothed value at the right side, or the last before it."""
        if (there := self.at(width - 1)) is not None:
            return there
        return next((v for d, v in zip(reversed(self.dots), reversed(self.values), strict=True)
                     if d.count and d.x < width), None)  # fmt: skip


@dataclass
class PlacedMark:
    """A mark and its column of dots."""

    x: int
    slot: int
    mark: Mark


@dataclass
class Plot:
    """All that is drawn, in columns of dots from 0 to `width` - 1."""

    settings: PlotSettings
    figure: str
    start: float
    end: float
    width: int
    scale: Scale
    runs: Sequence[PlottedRun]
    lines: list[Line]
    marks: list[PlacedMark] = field(default_factory=list)
    gaps: list[tuple[int, int]] = field(default_factory=list)  # column of dots and slot of what is not finite
    floor: float | None = None
    references: list[ReferenceLine] = field(default_factory=list)
    not_finite: int = 0

    def column(self, x: float) -> float:
        """The column of dots of a place on the axis."""
        return (x - self.start) * (self.width - 1) / ((self.end - self.start) or 1.0)

    def place(self, column: float) -> float:
        """The place on the axis of a column of dots."""
        return self.start + column * (self.end - self.start) / max(1, self.width - 1)

    def readings(self, column: float | None) -> list[tuple[PlottedRun, float | None, float | None]]:
        """Of each run what was read in training and in validation, at a column of dots or at its end."""
        lines = {(line.slot, line.validation): line for line in self.lines}

        def read(slot: int, validation: bool) -> float | None:
            line = lines.get((slot, validation))
            return None if line is None else line.last(self.width) if column is None else line.at(column)

        return [(run, read(run.slot, False), read(run.slot, True)) for run in self.runs]

    def marks_at(self, column: int) -> list[PlacedMark]:
        """What happened in the cell of this column of dots."""
        first = bisect_left(self.marks, column // 2 * 2, key=lambda placed: placed.x)
        return [placed for placed in self.marks[first:] if placed.x // 2 == column // 2]


def extent(runs: Sequence[PlottedRun], axis: Axis) -> float:
    """The end of the longest run on an axis, 0 where none has begun."""
    ends = [run.history.place(last, axis) for run in runs if (last := run.history.last_step) is not None]
    return max((end for end in ends if math.isfinite(end)), default=0.0)


def plot(runs: Sequence[PlottedRun], settings: PlotSettings, width: int, figure: str = LOSS) -> Plot | None:
    """Lay the curves of a figure over `width` columns of dots; None where there is nothing finite to draw.

    For one of NORMS each of `runs` is a layer of a run, and has its name.
    """
    whole = extent(runs, settings.axis)
    start, end = settings.start or 0.0, whole if settings.end is None else settings.end
    if settings.axis == "epochs":
        runs = [run for run in runs if run.history.train_tokens]
    lines, gaps, lost = [], [], 0
    for run in runs:
        for name, validation in _curves_of(figure, settings.shown):
            curve = (run.history.layer_curve(run.name, name, settings.axis) if name in NORMS
                     else run.history.curve(name, settings.axis))  # fmt: skip
            if not len(curve.x):
                continue
            line = _line(curve, run.slot, validation, settings.smoothing, start, end, width)
            missing = [dot for dot in line.dots if dot.not_finite and 0 <= dot.x < width]
            if figure == LOSS:
                gaps += [(dot.x, run.slot) for dot in missing]
                lost += sum(dot.not_finite for dot in missing)
            lines.append(line)
    floor = next((f for run in runs if (f := run.history.entropy_floor) is not None and SMALLEST < f < LARGEST), None)
    if figure != LOSS or len({run.history.entropy_floor for run in runs}) > 1:
        floor = None
    references = list(settings.references) if figure == LOSS else []
    include = [floor] if floor is not None and start == 0.0 and settings.end is None else []
    scale = _scale(lines, [*include, *(reference.loss for reference in references)], settings, start, width)
    if scale is None:
        return None
    marks = _placed(runs, settings.axis, start, end, width) if figure == LOSS else []
    return Plot(settings, figure, start, end, width, scale, runs, lines, marks, gaps, floor, references, lost)


def _curves_of(figure: str, shown: Shown) -> list[tuple[str, bool]]:
    """The curves of a figure, and whether they are of the validation."""
    if figure != LOSS:
        return [(figure, figure in EVALUATED)]
    train, validation = (LOSS, False), (EVALUATED[0], True)
    return [train] * (shown != "validation") + [validation] * (shown != "train")


def _line(curve: Curve, slot: int, validation: bool, alpha: float, start: float, end: float, width: int) -> Line:
    dots = dots_of(curve, start, end, width)
    if validation or not alpha:
        return Line(slot, validation, dots, [dot.value for dot in dots])
    return Line(slot, validation, dots, smoothed(curve, dots, start, alpha))


def _scale(
    lines: Sequence[Line], include: Sequence[float], settings: PlotSettings, start: float, width: int
) -> Scale | None:
    """Fitted to what is in view; the first evaluation may come before the first step, far above all that follows."""
    curves = []
    for line in lines:
        values = [value for dot, value in zip(line.dots, line.values, strict=True) if 0 <= dot.x < width]
        if not values:  # nothing is read in view, but the line between its neighbours is
            values = [line_at for x in (0, width - 1) if (line_at := line.at(x)) is not None]
        curves.append(values[1:] if line.validation and start == 0.0 and len(values) > 2 else values)
    return fitted(curves, include, settings.logarithmic)


def _placed(runs: Sequence[PlottedRun], axis: Axis, start: float, end: float, width: int) -> list[PlacedMark]:
    """What happened in view; of the checkpoints of a run in one cell, the last."""
    across = (width - 1) / ((end - start) or 1.0)
    placed: list[PlacedMark] = []
    for run in runs:
        saved: dict[int, PlacedMark] = {}
        for mark in run.history.marks:
            place = run.history.place(mark.step, axis)
            if not start <= place <= end:
                continue
            here = PlacedMark(round((place - start) * across), run.slot, mark)
            if mark.kind == "checkpoint":
                saved[here.x // 2] = here
            else:
                placed.append(here)
        placed += saved.values()
    return sorted((each for each in placed if 0 <= each.x < width), key=lambda each: each.x)


def strokes(line: Line, smooth: bool = True) -> list[list[tuple[float, float]]]:
    """The unbroken parts of a curve as points of column and value."""
    parts: list[list[tuple[float, float]]] = [[]]
    for dot, value in zip(line.dots, line.values, strict=True):
        if dot.count:
            parts[-1].append((dot.x, value if smooth else dot.value))
        elif parts[-1]:
            parts.append([])
    return [part for part in parts if part]


def clipped(stroke: Sequence[tuple[float, float]], width: int) -> list[tuple[float, float]]:
    """The points of a stroke within the picture, and where it crosses its sides."""
    points: list[tuple[float, float]] = []
    if len(stroke) == 1:
        return [point for point in stroke if 0 <= point[0] < width]
    for (x0, y0), (x1, y1) in pairwise(stroke):
        left, right = max(x0, 0.0), min(x1, width - 1.0)
        if left > right:
            continue
        slope = (y1 - y0) / (x1 - x0)
        if not points or points[-1][0] < left:
            points.append((left, y0 + slope * (left - x0)))
        points.append((right, y0 + slope * (right - x0)))
    return points
