"""A plot as rows of cells: curves in braille, axes, marks, and above them what is read of each run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby, pairwise

from ..text import formatting
from .axis_ticks import axis_ticks
from .braille import Canvas
from .plot_legend import MARK_SIGNS, legend, rank
from .run_plot import LOSS, Line, Plot, clipped, strokes
from .scale import Scale, labels
from .spans import Looks, Span, letter_of, marked_column, written_over

SLOTS = 8  # colours of runs; more runs than that share them
_DASHES = (  # of columns of dots, which are drawn; by the number of the colour
    "x", "xxxxxx--", "xx--", "xxxxxxxx--xx--", "xxxx----", "x---", "xxxxxxxxxxx-", "xxx-x-",
)  # fmt: skip


def draw_plot(
    plot: Plot, width: int, height: int, looks: Looks = Looks(), cursor: int | None = None  # noqa: B008
) -> list[list[Span]]:  # fmt: skip
    """`height` rows of `width` cells: what is read, the curves, marks, the axis. `cursor` is a column of dots.

    The plot must have been made for `plot_width(width)` columns of dots.
    """
    readings = legend(plot, width, max(1, height // 4), looks, cursor) if height >= 4 else []
    has_axis, has_marks = height >= 5, height >= 8 and plot.figure == LOSS
    rows = height - len(readings) - has_axis - has_marks
    gutter = gutter_of(width)
    canvas = Canvas(width - gutter, rows)
    painter = _Painter(canvas, plot, looks)
    painter.draw()
    under = None if cursor is None else cursor // 2
    ticks = plot.scale.ticks(max(2, min(6, rows // 3)))
    sides = _value_axis(canvas, plot.scale, ticks, gutter, looks.ascii)
    body = [[Span(side), *marked_column(painter.row(row), under, looks.ascii)] for row, side in enumerate(sides)]
    if has_marks:
        body.append([Span(" " * gutter), *marked_column(_mark_row(plot, canvas.columns, looks), under, looks.ascii)])
    if has_axis:
        body.append(_place_axis(plot, canvas.columns, gutter, looks.ascii))
    return [*readings, *body]


def gutter_of(width: int) -> int:
    """Cells of the labels of the values at the left."""
    return 7 if width >= 24 else 0


def plot_width(width: int) -> int:
    """Columns of dots beside the labels."""
    return max(2, 2 * (width - gutter_of(width)))


# --- curves ---------------------------------------------------------------------------------------


class _Painter:
    """Draws on a canvas; each kind of curve of each run has an ink of its own."""

    def __init__(self, canvas: Canvas, plot: Plot, looks: Looks) -> None:
        self._canvas, self._plot, self._looks = canvas, plot, looks
        self._last_row = canvas.height - 1
        self._inks: list[tuple[str, int, str]] = [("axis", 0, "")]  # role, slot, and a character instead of dots
        self._texts: dict[int, list[tuple[int, str, str]]] = {}  # by row: column, text, role
        self._alone = len(plot.runs) == 1

    def draw(self) -> None:
        """What lies behind first."""
        plot = self._plot
        if plot.floor is not None:
            self._level(plot.floor, f"floor {formatting.loss(plot.floor)}", "floor")
        for reference in plot.references:
            self._level(reference.loss, f"{reference.name} {formatting.loss(reference.loss)}", "reference")
        order = sorted(plot.lines, key=lambda line: (line.validation, -line.slot))
        if plot.settings.smoothing:
            for line in order:
                if not line.validation:
                    self._raw(line)
        for line in order:
            self._line(line)

    def row(self, number: int) -> list[Span]:
        """A row of cells."""
        inks = self._canvas.row_inks(number)
        dots = self._canvas.row_braille(number)
        if self._looks.ascii:
            dots = "".join(self._canvas.halves(column, number) for column in range(self._canvas.columns))
        spans, begin = [], 0
        for ink, cells in groupby(inks):
            end = begin + len(list(cells))
            role, slot, sign = self._inks[ink]
            spans.append(Span(sign * (end - begin) if sign else dots[begin:end], role, slot))
            begin = end
        for column, text, role in self._texts.get(number, []):
            spans = written_over(spans, column, text, role)
        return spans

    def _ink(self, role: str, slot: int, sign: str = "") -> int:
        self._inks.append((role, slot, sign))
        return len(self._inks) - 1

    def _level(self, value: float, label: str, role: str) -> None:
        """A dotted line at a value, and its name at the left end."""
        y = self._row_of(value)
        if y is None or not 0 <= y < self._canvas.height:
            return
        ink = self._ink(role, 0, "-" if self._looks.ascii else "")
        for x in range(0, self._canvas.width, 4):
            self._canvas.upright(x, y, y, ink)
            self._canvas.upright(x + 1, y, y, ink)
        label = f" {label} "
        taken = [len(text) for column, text, _ in self._texts.get(y // 4, []) if column == 1]
        column = 1 if not taken else 2 + taken[0]
        if column + len(label) <= self._canvas.columns:
            self._texts.setdefault(y // 4, []).append((column, label, role))

    def _raw(self, line: Line) -> None:
        """What was read: from the least to the greatest reading in each column, and lines between distant columns."""
        canvas, ink = self._canvas, self._ink("raw", line.slot, "." if self._looks.ascii else "")
        if self._looks.dashed:  # a paler colour is not to be seen: dots with gaps
            for dot in line.dots:
                if dot.x % 3 == 0 and (y := self._row_of(dot.value)) is not None:
                    canvas.upright(dot.x, y, y, ink)
            return
        if 2 * len(line.dots) < canvas.width:
            for stroke in strokes(line, smooth=False):
                self._curve(stroke, ink, thick=False, dashes="x")
        for dot in line.dots:
            top = self._row_of(dot.high)
            bottom = self._row_of(dot.low) if dot.count > 1 else top
            if top is not None and bottom is not None:
                canvas.upright(dot.x, top, bottom, ink)

    def _line(self, line: Line) -> None:
        role = ("validation" if line.validation else "train") if self._alone else "run"
        letter = letter_of(line.slot)
        sign = ""
        if self._looks.ascii:
            sign = ("*" if line.validation else "") if self._alone else letter.upper() if line.validation else letter
        ink = self._ink(role, line.slot, sign)
        dashes = _DASHES[line.slot % SLOTS] if self._looks.dashed and not self._alone else "x"
        drawn = strokes(line)
        for stroke in drawn:
            self._curve(stroke, ink, thick=line.validation, dashes=dashes)
        if self._looks.dashed and not self._alone and drawn:
            self._letter(clipped(drawn[-1], self._canvas.width), letter.upper() if line.validation else letter)

    def _letter(self, points: Sequence[tuple[float, float]], letter: str) -> None:
        """At the end of a curve the letter of its run."""
        if points and (y := self._row_of(points[-1][1])) is not None and 0 <= y < self._canvas.height:
            self._texts.setdefault(y // 4, []).append((round(points[-1][0]) // 2, letter, "legend"))

    def _curve(self, stroke: Sequence[tuple[float, float]], ink: int, *, thick: bool, dashes: str) -> None:
        """In each column of dots from half-way to the column before to half-way to the next."""
        points = [(round(x), y) for x, value in clipped(stroke, self._canvas.width)
                  if (y := self._row_of(value)) is not None]  # fmt: skip
        if not points:
            return
        rows: list[float] = []
        for (x0, y0), (x1, y1) in pairwise(points):
            rows.append(y0)
            if x1 > x0 + 1:
                slope = (y1 - y0) / (x1 - x0)
                rows += [y0 + slope * dx for dx in range(1, x1 - x0)]
        rows.append(points[-1][1])
        canvas, period = self._canvas, len(dashes)
        before = rows[0]
        for x, (here, after) in enumerate(zip(rows, [*rows[1:], rows[-1]], strict=True), points[0][0]):
            left, right = (before + here) / 2, (here + after) / 2
            before = here
            if period == 1 or dashes[x % period] == "x":
                top, bottom = (left, right) if left < right else (right, left)
                top, bottom = here if here < top else top, here if here > bottom else bottom
                canvas.upright(x, round(top), round(bottom) + thick, ink)

    def _row_of(self, value: float) -> int | None:
        """The row of dots for a value; just outside for one that sticks out, None for one without a place."""
        position = self._plot.scale.position(value)
        if math.isnan(position):
            return None
        row, lowest = round((1.0 - position) * self._last_row), self._last_row + 4
        return -4 if row < -4 else lowest if row > lowest else row


# --- axes and marks -------------------------------------------------------------------------------


def _value_axis(canvas: Canvas, scale: Scale, ticks: list[float], gutter: int, ascii: bool) -> list[str]:
    if not gutter:
        return [""] * canvas.rows
    line, tick_mark = "|+" if ascii else "│┤"
    sides = [" " * (gutter - 1) + line] * canvas.rows
    for tick, label in zip(ticks, labels(ticks), strict=True):
        row = round((1.0 - scale.position(tick)) * (canvas.height - 1)) // 4
        if 0 <= row < canvas.rows:
            if len(label) < gutter and abs(tick) < 10_000:
                text = label
            else:
                text = formatting.compact(tick) if abs(tick) >= 1 else formatting.learning_rate(tick)
            sides[row] = text.rjust(gutter - 1)[: gutter - 1] + tick_mark
    return sides


def _place_axis(plot: Plot, columns: int, gutter: int, ascii: bool) -> list[Span]:
    """The axis with its round places: └── 500 ─── 1.0k ──."""
    line = ["-" if ascii else "─"] * columns
    free = 0
    for place, label in axis_ticks(plot.settings.axis, plot.start, plot.end, max(2, columns // 16)):
        text = f" {label} "
        begin = min(max(0, round(plot.column(place)) // 2 - len(text) // 2), columns - len(text))
        if begin >= free:
            line[begin : begin + len(text)] = text
            free = begin + len(text) + 1
    corner = " " * (gutter - 1) + ("+" if ascii else "└") if gutter else ""
    return [Span(corner + "".join(line))]


def _mark_row(plot: Plot, columns: int, looks: Looks) -> list[Span]:
    """The signs of what happened; where several share a cell, the one that matters most."""
    signs: dict[int, tuple[str, str, int]] = {}
    for placed in sorted(plot.marks, key=rank, reverse=True):
        signs[placed.x // 2] = (MARK_SIGNS[placed.mark.kind][looks.ascii], "run", placed.slot)
    for x, _ in plot.gaps:
        signs[x // 2] = ("x" if looks.ascii else "×", "alarm", 0)
    role = "legend" if len(plot.runs) == 1 else "run"
    spans, end = [], 0
    for column in sorted(column for column in signs if column < columns):
        sign, kind, slot = signs[column]
        spans += [Span(" " * (column - end)), Span(sign, role if kind == "run" else kind, slot)]
        end = column + 1
    return [*spans, Span(" " * (columns - end))]
