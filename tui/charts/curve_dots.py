"""A curve as dots: at most one for each column of them, however many readings it has, and smoothed."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import floor
from operator import mul

from ...engine.history.run_history import Curve
from .series import GROWTH

_FAINT = 1e-3  # what a reading still counts in an average that it is left out of


@dataclass(slots=True)
class Dot:
    """What is read in one column of dots; `count` 0 where nothing in it is finite."""

    x: int  # column, from 0 at the left; outside the picture where the curve goes on there
    value: float  # mean
    low: float
    high: float
    count: int
    not_finite: int = 0


def dots_of(curve: Curve, start: float, end: float, width: int) -> list[Dot]:
    """The part of a curve between `start` and `end`, over `width` columns, and the reading at each side of it."""
    first, last = max(0, bisect_right(curve.x, start) - 1), min(len(curve.x), bisect_right(curve.x, end) + 1)
    return _dots(curve, first, last, start, (max(2, width) - 1) / ((end - start) or 1.0))


def _dots(curve: Curve, first: int, last: int, start: float, across: float) -> list[Dot]:
    x, counts, column = curve.x, curve.counts, curve.column
    mean, low, high, finite = column.mean, column.low, column.high, column.finite
    dots: list[Dot] = []
    i = first
    while i < last:
        place = floor((x[i] - start) * across + 0.5)
        if dots and place <= dots[-1].x:  # rounding, where a reading lies between two columns
            place = dots[-1].x + 1
        j = bisect_left(x, start + (place + 0.5) / across, i + 1, last)
        if j == i + 1:
            number = finite[i]
            dots.append(Dot(place, mean[i], low[i], high[i], number, counts[i] - number))
        else:
            dots.append(_joined(place, mean[i:j], low[i:j], high[i:j], finite[i:j], sum(counts[i:j])))
        i = j
    return dots


def _joined(
    place: int, mean: Sequence[float], low: Sequence[float], high: Sequence[float], finite: Sequence[int], count: int
) -> Dot:
    """Several bins as one dot; those without a finite reading change only how many are not."""
    if 0 in finite:
        kept = [i for i, number in enumerate(finite) if number]
        mean, low, high = ([numbers[i] for i in kept] for numbers in (mean, low, high))
        finite = [finite[i] for i in kept]
        if not kept:
            return Dot(place, float("nan"), float("nan"), float("nan"), 0, count)
    number = sum(finite)
    return Dot(place, sum(map(mul, mean, finite)) / number, min(low), max(high), number, count - number)


def smoothed(curve: Curve, dots: Sequence[Dot], start: float, alpha: float) -> list[float]:
    """The exponential moving average of a curve at its dots; NaN where a dot has nothing finite.

    Each reading counts `alpha` times as much as the next. At the beginning the average is over fewer, so that the steep
    beginning of a loss is followed and not dragged along; divided by the sum of its weights, so that nothing is pulled
    towards zero (Adam, arXiv:1412.6980, section 3). What lies before the dots is part of it.
    """
    average = _Average(alpha)
    first = max(0, bisect_right(curve.x, start) - 1)
    back, readings = first, 0
    while back > 0 and alpha**readings > _FAINT:
        back -= 1
        readings += curve.column.finite[back]
    average.seen = sum(curve.column.finite[:back])
    for i in range(back, first):
        average.add(curve.column.mean[i], curve.column.finite[i])
    return [average.add(dot.value, dot.count) for dot in dots]


class _Average:
    def __init__(self, alpha: float) -> None:
        self.seen = 0
        self._horizon = 1.0 / (1.0 - alpha)
        self._total = self._weight = 0.0

    def add(self, value: float, count: int) -> float:
        """Count `value` so many times; the average, NaN for none."""
        if not count:
            return float("nan")
        self.seen += count
        decay = (1.0 - 1.0 / max(1.0, min(self._horizon, 1.0 + (self.seen - 1) * GROWTH))) ** count
        self._total = decay * self._total + (1.0 - decay) * value
        self._weight = decay * self._weight + (1.0 - decay)
        return self._total / self._weight


def value_at(dots: Sequence[Dot], values: Sequence[float], x: float) -> float | None:
    """Where the curve through the dots is at column `x`; None before it, after it and in a gap."""
    i = bisect_right(dots, x, key=lambda dot: dot.x)
    if i and dots[i - 1].x == x:
        return values[i - 1] if dots[i - 1].count else None
    if not 0 < i < len(dots) or not (dots[i - 1].count and dots[i].count):
        return None
    before, after = dots[i - 1], dots[i]
    return values[i - 1] + (values[i] - values[i - 1]) * (x - before.x) / (after.x - before.x)
