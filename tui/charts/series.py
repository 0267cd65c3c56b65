"""A curve that may grow for days: a bounded number of buckets, each with the least, greatest and mean value in it."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest

CAPACITY = 4096
LARGEST, SMALLEST = 1e100, 1e-100  # beyond them no loss lies, and sums and ratios of them may overflow
GROWTH = 0.05  # an early value is averaged over about a twentieth of those before it


@dataclass(slots=True)
class Bucket:
    """Neighbouring points as one; `low`, `high` and `mean` are NaN while no value in it was finite."""

    x: float  # of its first point
    low: float
    high: float
    mean: float
    finite: int
    not_finite: int

    @classmethod
    def of(cls, x: float, y: float) -> Bucket:
        """A bucket of one point."""
        return cls(x, y, y, y, 1, 0) if math.isfinite(y) else cls(x, math.nan, math.nan, math.nan, 0, 1)

    def merge(self, later: Bucket) -> None:
        """Merge the bucket that follows this one into it."""
        if not self.finite:
            self.low, self.high, self.mean = later.low, later.high, later.mean
        elif later.finite:
            self.low = min(self.low, later.low)
            self.high = max(self.high, later.high)
            self.mean += (later.mean - self.mean) * later.finite / (self.finite + later.finite)
        self.finite += later.finite
        self.not_finite += later.not_finite


class Series:
    """Points (x, y) in the order of x. Appending costs O(1) on average, reading O(`capacity`), however many came.

    A full series merges pairs of buckets and makes each from then on hold twice as many points.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.buckets: list[Bucket] = []
        self.last_x: float | None = None
        self.last: float | None = None  # the newest finite value
        self.version = 0  # changes whenever a point was added: what was drawn is out of date
        self._capacity = capacity
        self._points_per_bucket = 1
        self._resumed_at: float | None = None

    def __len__(self) -> int:
        """How many points it holds, those that are not finite included."""
        return sum(bucket.finite + bucket.not_finite for bucket in self.buckets)

    @property
    def not_finite(self) -> int:
        """How many values were NaN or infinite."""
        return sum(bucket.not_finite for bucket in self.buckets)

    def resume(self, x: float) -> None:
        """From here on points at or after `x` may come again. Nothing is lost until one of them does."""
        if self.last_x is not None and x <= self.last_x:
            self._resumed_at = x

    def append(self, x: float, y: float) -> None:
        """Add a point. One before the last is skipped, or, after `resume`, takes the place of all from there on.

        A value of absurd size counts as infinite, one next to 0 as 0.
        """
        y = math.inf if abs(y) > LARGEST else 0.0 if abs(y) < SMALLEST else y
        if self.last_x is not None and x <= self.last_x:
            if x < self.last_x and (self._resumed_at is None or x < self._resumed_at):
                return
            self._drop_from(x)
        self._resumed_at = None
        self.last_x = x
        if math.isfinite(y):
            self.last = y
        self.version += 1
        point = Bucket.of(x, y)
        newest = self.buckets[-1] if self.buckets else None
        if newest is not None and newest.finite + newest.not_finite < self._points_per_bucket:
            newest.merge(point)
            return
        if len(self.buckets) >= self._capacity:
            self._merge_pairs()
        self.buckets.append(point)

    def start_of_tail(self, x: float) -> int:
        """Index of the first bucket that begins at or after `x`."""
        return bisect_left(self.buckets, x, key=lambda bucket: bucket.x)

    def _drop_from(self, x: float) -> None:
        del self.buckets[self.start_of_tail(x) :]

    def _merge_pairs(self) -> None:
        merged = []
        for first, second in zip_longest(self.buckets[::2], self.buckets[1::2]):
            if second is not None:
                first.merge(second)
            merged.append(first)
        self.buckets = merged
        self._points_per_bucket *= 2


def exponential_moving_average(values: Iterable[float], horizon: float) -> Iterator[float]:
    """Smooth `values` over about `horizon` of them; those that are not finite stay gaps and change nothing.

    The horizon grows to that with the values seen, so that the steep beginning of a loss is followed and not dragged
    along. Divided by the sum of its weights, so that nothing is pulled towards zero (Adam, arXiv:1412.6980, section 3).
    """
    total = weight = 0.0
    seen = 0
    for value in values:
        if not math.isfinite(value):
            yield math.nan
            continue
        decay = 1.0 - 1.0 / max(1.0, min(horizon, 1.0 + seen * GROWTH))
        seen += 1
        total = decay * total + (1.0 - decay) * value
        weight = decay * weight + (1.0 - decay)
        yield total / weight
