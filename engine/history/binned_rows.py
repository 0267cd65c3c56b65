"""Rows of figures that may come for days: a bounded number of bins, each with the extremes and mean of its rows."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from itertools import islice
from operator import itemgetter, lt

CAPACITY = 4096
LARGEST, SMALLEST = 1e100, 1e-100  # beyond them no figure lies, and sums and ratios of them may overflow

Row = Sequence[float]
_first = itemgetter(0)


class Column:
    """One figure over the bins: the mean, extremes and number of the finite values in each; NaN without any."""

    __slots__ = ("finite", "high", "low", "mean")

    def __init__(self) -> None:
        self.mean, self.low, self.high, self.finite = array("d"), array("d"), array("d"), array("L")

    def __len__(self) -> int:
        return len(self.mean)

    def append(self, values: Sequence[float]) -> None:
        """A bin of these values."""
        mean, low, high, finite = _summed(values)
        self.mean.append(mean)
        self.low.append(low)
        self.high.append(high)
        self.finite.append(finite)

    def extend_last(self, values: Sequence[float]) -> None:
        """Add values to the last bin."""
        self._merge(-1, *_summed(values))

    def merge_pairs(self) -> None:
        """Make one bin of each two neighbours."""
        pairs = range(0, len(self.mean) - 1, 2)
        for i in pairs:
            self._merge(i, self.mean[i + 1], self.low[i + 1], self.high[i + 1], self.finite[i + 1])
        self.mean, self.low, self.high, self.finite = self.mean[::2], self.low[::2], self.high[::2], self.finite[::2]

    def cut(self, first: int) -> None:
        """Remove the bins from `first` on."""
        for numbers in (self.mean, self.low, self.high, self.finite):
            del numbers[first:]

    def _merge(self, i: int, mean: float, low: float, high: float, finite: int) -> None:
        if not finite:
            return
        if before := self.finite[i]:
            mean = self.mean[i] + (mean - self.mean[i]) * finite / (before + finite)
            low, high = min(self.low[i], low), max(self.high[i], high)
        self.mean[i], self.low[i], self.high[i], self.finite[i] = mean, low, high, before + finite


class BinnedRows:
    """Rows in the order of their first number; each begins with `places` numbers that grow, and then has `figures`.

    A bin stands at the places of its first row. Full rows merge pairs of bins and make each from then on hold twice as
    many. Many rows at once cost about a microsecond each.
    """

    def __init__(self, places: int, figures: int, *, capacity: int = CAPACITY, rows_per_bin: int = 1) -> None:
        self.places = [array("d") for _ in range(places)]
        self.figures = [Column() for _ in range(figures)]
        self.counts = array("L")  # rows in each bin, those whose figures are not finite included
        self.last: tuple[float, ...] | None = None  # the newest row
        self.version = 0  # changes whenever a row was added: what was drawn is out of date
        self._capacity = capacity
        self._rows_per_bin = rows_per_bin
        self._resumed_at: float | None = None

    def __len__(self) -> int:
        """How many bins there are."""
        return len(self.counts)

    def resume(self, place: float) -> None:
        """From here on rows at or after `place` may come again. Nothing is lost until one of them does."""
        if self.last is not None and place <= self.last[0]:
            self._resumed_at = place

    def extend(self, rows: Sequence[Row]) -> None:
        """Add rows. One before the last is skipped, or, after `resume`, takes the place of all from there on."""
        firsts = list(map(_first, rows))
        ordered = all(map(lt, firsts, islice(firsts, 1, None)))
        if ordered and (not firsts or self.last is None or firsts[0] > self.last[0]):
            self._add(rows)
            return
        for row in rows:
            if self.last is not None and row[0] <= self.last[0]:
                if row[0] < self.last[0] and (self._resumed_at is None or row[0] < self._resumed_at):
                    continue
                self._cut(bisect_left(self.places[0], row[0]))
            self._add([row])

    def _add(self, rows: Sequence[Row]) -> None:
        if not rows:
            return
        self._resumed_at = None
        self.version += 1
        done = 0
        while done < len(rows):
            room = self._rows_per_bin - self.counts[-1] if self.counts else 0
            if room <= 0 and len(self.counts) >= self._capacity:
                self._merge_pairs()
                continue
            part = rows[done : done + (room if room > 0 else self._rows_per_bin)]
            values = list(zip(*part, strict=True))
            done += len(part)
            if room > 0:
                self.counts[-1] += len(part)
                for column, figures in zip(self.figures, values[len(self.places) :], strict=True):
                    column.extend_last(figures)
                continue
            self.counts.append(len(part))
            for place, number in zip(self.places, part[0], strict=False):
                place.append(_after(place, number))
            for column, figures in zip(self.figures, values[len(self.places) :], strict=True):
                column.append(figures)
        newest = rows[-1]
        self.last = (*map(_after, self.places, newest), *newest[len(self.places) :])

    def _cut(self, first: int) -> None:
        for numbers in (*self.places, self.counts):
            del numbers[first:]
        for column in self.figures:
            column.cut(first)

    def _merge_pairs(self) -> None:
        for i in range(0, len(self.counts) - 1, 2):
            self.counts[i] += self.counts[i + 1]
        self.counts = self.counts[::2]
        self.places = [numbers[::2] for numbers in self.places]
        for column in self.figures:
            column.merge_pairs()
        self._rows_per_bin *= 2


def _after(places: Sequence[float], number: float) -> float:
    """`number`, or the last of the places where it does not follow it: foreign numbers need not grow."""
    before = places[-1] if places else 0.0
    return number if before <= number <= LARGEST else before


def _summed(values: Sequence[float]) -> tuple[float, float, float, int]:
    """Mean, least and greatest of the finite ones, and how many those are. Absurd sizes count as infinite."""
    total, low, high = sum(values), min(values), max(values)
    finite = len(values)
    if not (math.isfinite(total) and low >= -LARGEST and high <= LARGEST):
        kept = [value for value in values if -LARGEST <= value <= LARGEST]
        if not kept:
            return math.nan, math.nan, math.nan, 0
        total, low, high, finite = sum(kept), min(kept), max(kept), len(kept)
    return _sized(min(max(total / finite, low), high)), _sized(low), _sized(high), finite


def _sized(value: float) -> float:
    """`value`, or 0 for what is next to it."""
    return 0.0 if -SMALLEST < value < SMALLEST else value


def rows_per_bin_for(rows: int, capacity: int = CAPACITY) -> int:
    """The power of two with which this many rows fill most of the bins, and no more than there may be."""
    return 1 << max(0, math.ceil(math.log2(max(1, rows) / capacity)))
