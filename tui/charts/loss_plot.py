"""The picture of a run's losses as rows of cells, without a terminal: two curves, the floor, axes and a legend."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..text import formatting
from .braille import Canvas
from .scale import Scale, fitted, labels
from .series import LARGEST, SMALLEST, Bucket, Series, exponential_moving_average

SMOOTHING = 1 / 50  # the training curve averages over about this share of what is shown

_FLOOR, _TRAIN, _VALIDATION = 1, 2, 3  # inks, in the order in which they are drawn
_ROLES = {_FLOOR: "floor", _TRAIN: "train", _VALIDATION: "validation"}


@dataclass(frozen=True, slots=True)
class Cell:
    """One character of the chart, what it belongs to, and whether the spread of the training loss lies behind it."""

    text: str
    role: str = "axis"
    in_band: bool = False


@dataclass(slots=True)
class Point:
    """What a series shows in one column of dots."""

    x: int
    value: float
    low: float
    high: float
    count: int = 1


def draw(
    train: Series, validation: Series, floor: float | None, width: int, height: int, *,
    logarithmic: bool = False, window: float = 1.0, ascii: bool = False, empty: str = "",
) -> list[list[Cell]]:  # fmt: skip
    """The chart as `height` rows of `width` cells: a legend, the plot with its axis, and the steps below.

    `window` is the last share of the steps to show. Without a finite loss it is the sentence `empty`.
    """
    if floor is not None and not SMALLEST < floor < LARGEST:
        floor = None
    end = max((s.last_x for s in (train, validation) if s.last_x is not None), default=0.0)
    start = end * (1.0 - window)
    trained, smooth = _tail(train, start, SMOOTHING)
    validated, held_out = _tail(validation, start, 0.0)
    whole = window == 1.0
    # the first evaluation may come before the first step, far above all that follows
    levels = held_out[1:] if whole and len(held_out) > 2 else held_out
    scale = fitted((smooth, levels), [floor] if floor is not None and whole else [], logarithmic)
    if scale is None or width < 1 or height < 1:
        return _sentence(empty, width, height)

    has_legend, has_steps = height >= 4, height >= 5
    rows = height - has_legend - has_steps
    ticks = scale.ticks(max(2, min(4, rows // 3)))
    gutter = max(map(len, labels(ticks))) + 1 if width >= 16 else 0
    canvas = Canvas(width - gutter, rows)
    across = (canvas.width - 1) / ((end - start) or 1.0)

    floor_row = None
    if floor is not None and (row := _dot_row(canvas, scale, floor)) is not None:
        floor_row = row // 4
        for x in range(canvas.width):
            if x % 4 < 2:
                canvas.dot(x, row, _FLOOR)
    train_strokes = _strokes(trained, smooth, start, across)
    band = _band(canvas, scale, train_strokes)
    _draw_curves(canvas, scale, train_strokes, _TRAIN)
    _draw_curves(canvas, scale, _strokes(validated, held_out, start, across), _VALIDATION)

    plot = [[_plot_cell(canvas, column, row, band, ascii) for column in range(canvas.columns)] for row in range(rows)]
    labelled = floor is not None and floor_row is not None and _label_floor(plot[floor_row], floor)
    for bucket in (*trained, *validated):
        if bucket.not_finite:
            column = min(canvas.columns - 1, round((bucket.x - start) * across) // 2)
            plot[-1][column] = Cell("x" if ascii else "×", "alarm")

    picture = [side + row for side, row in zip(_value_axis(canvas, scale, ticks, gutter, ascii), plot, strict=True)]
    if has_steps:
        picture.append(_step_axis(start, end, gutter, width, ascii))
    if has_legend:
        unlabelled_floor = None if labelled or floor_row is None else floor
        picture.insert(0, _legend(train, validation, unlabelled_floor, width, logarithmic, window, ascii))
    return picture


def _tail(series: Series, start: float, smoothing: float) -> tuple[list[Bucket], list[float]]:
    """The buckets from `start` on and their means, averaged over a share `smoothing` of them."""
    first = series.start_of_tail(start)
    buckets = series.buckets[first:]
    averaged = exponential_moving_average((b.mean for b in series.buckets), smoothing * len(buckets))
    return buckets, list(averaged)[first:]


def _strokes(buckets: Sequence[Bucket], values: Iterable[float], start: float, across: float) -> list[list[Point]]:
    """The points of a curve, at most one for each column of dots; a loss that is not finite ends a stroke."""
    strokes: list[list[Point]] = [[]]
    for bucket, value in zip(buckets, values, strict=True):
        stroke = strokes[-1]
        if not bucket.finite:
            if stroke:
                strokes.append([])
            continue
        x = round((bucket.x - start) * across)
        if stroke and stroke[-1].x == x:
            point = stroke[-1]
            point.count += 1
            point.value += (value - point.value) / point.count
            point.low, point.high = min(point.low, bucket.low), max(point.high, bucket.high)
        else:
            stroke.append(Point(x, value, bucket.low, bucket.high))
    return strokes


def _dot(canvas: Canvas, scale: Scale, value: float) -> int | None:
    """The row of dots for a value; just outside the canvas for one that sticks out, None for one without a place."""
    position = scale.position(value)
    if math.isnan(position):
        return None
    return max(-4, min(canvas.height + 3, round((1.0 - position) * (canvas.height - 1))))


def _dot_row(canvas: Canvas, scale: Scale, value: float) -> int | None:
    row = _dot(canvas, scale, value)
    return row if row is not None and 0 <= row < canvas.height else None


def _draw_curves(canvas: Canvas, scale: Scale, strokes: list[list[Point]], ink: int) -> None:
    for stroke in strokes:
        dots = [(point.x, _dot(canvas, scale, point.value)) for point in stroke]
        for x, y in dots:
            if y is not None:
                canvas.dot(x, y, ink)
        for (x0, y0), (x1, y1) in pairwise(dots):
            if y0 is not None and y1 is not None:
                canvas.line(x0, y0, x1, y1, ink)


def _band(canvas: Canvas, scale: Scale, strokes: list[list[Point]]) -> list[range]:
    """For each column of cells the rows between the least and the greatest reading."""
    top, bottom = [canvas.rows] * canvas.columns, [-1] * canvas.columns

    def reach(x: int, low: float, high: float) -> None:
        upper, lower = _dot(canvas, scale, high), _dot(canvas, scale, low)
        if upper is not None and lower is not None:
            top[x // 2] = min(top[x // 2], max(0, upper // 4))
            bottom[x // 2] = max(bottom[x // 2], min(canvas.rows - 1, lower // 4))

    for stroke in strokes:
        for point in stroke[:1]:
            reach(point.x, point.low, point.high)
        for a, b in pairwise(stroke):
            for x in range(a.x + 1, b.x + 1):
                share = (x - a.x) / (b.x - a.x)
                reach(x, a.low + share * (b.low - a.low), a.high + share * (b.high - a.high))
    return [range(first, last + 1) for first, last in zip(top, bottom, strict=True)]


def _plot_cell(canvas: Canvas, column: int, row: int, band: list[range], ascii: bool) -> Cell:
    ink = canvas.ink(column, row)
    if not ink:
        return Cell(" ", "axis", not ascii and row in band[column])
    if not ascii:
        text = canvas.braille(column, row)
    else:
        text = canvas.halves(column, row) if ink == _TRAIN else "*" if ink == _VALIDATION else "-"
    return Cell(text, _ROLES[ink], not ascii and row in band[column])


def _label_floor(row: list[Cell], floor: float) -> bool:
    """Write the floor's name on its line, at the end where no curve lies; False where both are taken."""
    text = f" floor {formatting.loss(floor)} "
    for start in (1, len(row) - len(text)):
        place = slice(start, start + len(text))
        if start >= 0 and len(row[place]) == len(text) and all(c.role in ("axis", "floor") for c in row[place]):
            row[place] = [
                Cell(character, "floor", cell.in_band) for character, cell in zip(text, row[place], strict=True)
            ]
            return True
    return False


def _value_axis(canvas: Canvas, scale: Scale, ticks: list[float], gutter: int, ascii: bool) -> list[list[Cell]]:
    if not gutter:
        return [[] for _ in range(canvas.rows)]
    line, tick_mark = "|+" if ascii else "│┤"
    sides = [" " * (gutter - 1) + line] * canvas.rows
    for tick, label in zip(ticks, labels(ticks), strict=True):
        if (row := _dot_row(canvas, scale, tick)) is not None:
            sides[row // 4] = label.rjust(gutter - 1) + tick_mark
    return [_cells(side) for side in sides]


def _step_axis(start: float, end: float, gutter: int, width: int, ascii: bool) -> list[Cell]:
    """The axis of steps with its two ends: 0 ──────── 1.2k."""
    first, last = formatting.compact(start), formatting.compact(end)
    line = "-" if ascii else "─"
    left = " " * max(0, gutter - 1) + first + " "
    right = " " + last
    return _cells((left + line * (width - len(left) - len(right)) + right)[:width].ljust(width))


def _legend(
    train: Series, validation: Series, floor: float | None, width: int, logarithmic: bool, window: float, ascii: bool
) -> list[Cell]:
    thin, thick = "-*" if ascii else "─━"
    entries: list[list[Cell]] = []
    for series, name, role, sign in ((train, "train", "train", thin), (validation, "val", "validation", thick)):
        if series.last is not None:
            sign = f"{sign} " if width >= 24 else ""
            entries.append(_cells(sign, role) + _cells(f"{name} {formatting.loss(series.last)}", "legend"))
    if lost := train.not_finite + validation.not_finite:
        entries.append(_cells(f"{formatting.compact(lost)} NaN", "alarm"))
    if floor is not None:
        entries.append(_cells(f"floor {formatting.loss(floor)}", "floor"))
    if window < 1.0:
        entries.append(_cells(f"last 1/{round(1 / window)}"))
    if logarithmic:
        entries.append(_cells("log"))
    row: list[Cell] = []
    for entry in entries:
        gap = _cells("  ") if row else []
        if len(row) + len(gap) + len(entry) <= width:
            row += gap + entry
    return row + _cells(" " * (width - len(row)))


def _sentence(text: str, width: int, height: int) -> list[list[Cell]]:
    rows = [_cells(" " * width) for _ in range(height)]
    if rows:
        rows[height // 2] = _cells(text[:width].center(width))
    return rows


def _cells(text: str, role: str = "axis") -> list[Cell]:
    return [Cell(character, role) for character in text]
