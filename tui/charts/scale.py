"""The vertical axis of a chart: which values it spans, where a value lies on it, and which labels it gets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

PERCENTILE = 0.995  # the first steps of a run are far above the rest; what is drawn of them may leave at the top
MARGIN = 0.04


@dataclass(frozen=True)
class Scale:
    """An interval of values, linear or logarithmic; `low` < `high`, both positive on a logarithmic one."""

    low: float
    high: float
    logarithmic: bool = False

    def position(self, value: float) -> float:
        """0 at `low`, 1 at `high`, beyond them outside; NaN for what has no place, such as 0 on a logarithmic scale."""
        if not math.isfinite(value) or (self.logarithmic and value <= 0):
            return math.nan
        if self.logarithmic:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self, most: int) -> list[float]:
        """Between 2 and `most` round values inside, or the two ends where no round ones fit."""
        if self.logarithmic and self.high / self.low >= 10:
            ticks = _thinned(_per_decade(self.low, self.high), most)
        else:
            ticks = _evenly(self.low, self.high, most)
        return ticks if len(ticks) >= 2 else [self.low, self.high]


def fitted(curves: Sequence[Sequence[float]], include: Sequence[float], logarithmic: bool) -> Scale | None:
    """The scale for these curves, with a little room; the highest 0.5 % of each may stick out, `include` may not.

    None where no value has a place on it.
    """
    *placed, include = (
        sorted(v for v in values if math.isfinite(v) and (v > 0 or not logarithmic)) for values in (*curves, include)
    )
    placed = [values for values in placed if values]
    if not placed:
        return None
    low = min([values[0] for values in placed] + include)
    high = max([values[math.ceil(PERCENTILE * len(values)) - 1] for values in placed] + include)
    if high - low <= 1e-9 * abs(high):
        room = 0.1 * abs(high) or 0.1
        return Scale(low - room if not logarithmic else low * 0.9, high + room, logarithmic)
    if logarithmic:
        ratio = (high / low) ** MARGIN
        return Scale(low / ratio, high * ratio, True)
    room = MARGIN * (high - low)
    return Scale(low - room, high + room)


def labels(ticks: Sequence[float]) -> list[str]:
    """Two or more ticks as texts, with as many decimals as tell them apart."""
    gaps = [b - a for a, b in pairwise(ticks)]
    closest = min(gaps)
    if max(map(abs, ticks)) >= 10_000 or closest < 0.001 or max(gaps) > 2 * closest:
        return [f"{tick:.3g}" for tick in ticks]
    decimals = max(0, -math.floor(math.log10(closest)))
    # a step such as 0.25 needs one digit more than its size says
    while any(abs(round(tick, decimals) - tick) > closest / 50 for tick in ticks):
        decimals += 1
    return [f"{tick:.{decimals}f}" for tick in ticks]


def _evenly(low: float, high: float, most: int) -> list[float]:
    """The finest round step that gives at most `most` multiples between `low` and `high`."""
    magnitude = 10.0 ** (math.floor(math.log10((high - low) / most)) - 1)
    while True:
        for factor in (1, 2, 2.5, 5):
            step = factor * magnitude
            first, last = math.ceil(low / step), math.floor(high / step)
            if last - first + 1 <= most:
                return [i * step for i in range(first, last + 1)]
        magnitude *= 10


def _per_decade(low: float, high: float) -> list[float]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    values = [factor * 10.0**decade for decade in decades for factor in (1, 2, 5)]
    return [value for value in values if low <= value <= high]


def _thinned(values: list[float], most: int) -> list[float]:
    stride = math.ceil(len(values) / most)
    return values[::-stride][::-1]
