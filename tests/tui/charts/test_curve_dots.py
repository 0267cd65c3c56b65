"""Binning and smoothing against plain references."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minigpt_tui.engine.history.run_history import Curve, RunHistory
from minigpt_tui.tui.charts.curve_dots import dots_of, smoothed, value_at
from minigpt_tui.tui.charts.series import exponential_moving_average

VALUES = st.one_of(st.floats(-100, 100, allow_subnormal=False), st.just(math.nan))


def curve(points: list[tuple[float, float]]) -> Curve:
    history = RunHistory()
    history.extend([(x, x, x, y, *[math.nan] * 5) for x, y in points])
    return history.curve("loss", "steps")


def plain(points: list[tuple[float, float]], start: float, end: float, width: int) -> dict[int, list[float]]:
    """The values in each column of dots."""
    columns: dict[int, list[float]] = {}
    for x, y in points:
        columns.setdefault(math.floor((x - start) * (width - 1) / (end - start) + 0.5), []).append(y)
    return columns


@given(
    values=st.lists(VALUES, min_size=2, max_size=120),
    width=st.integers(2, 64),
    window=st.tuples(st.integers(0, 60), st.integers(1, 90)),
)
def test_each_dot_is_what_is_read_in_its_column(values: list[float], width: int, window: tuple[int, int]):
    points = [(float(i), value) for i, value in enumerate(values, 1)]
    # places that no two columns dispute: between two columns, either may have a reading
    start, end = window[0] + 0.0123, window[0] + window[1] + 0.0377
    dots = dots_of(curve(points), start, end, width)
    columns = plain(points, start, end, width)
    inside = [dot for dot in dots if 0 <= dot.x < width]
    assert [dot.x for dot in dots] == sorted({dot.x for dot in dots})
    assert [dot.x for dot in inside] == sorted(x for x in columns if 0 <= x < width)
    for dot in inside[1:-1]:  # those at the sides may have a part of what lies beyond
        finite = [y for y in columns[dot.x] if math.isfinite(y)]
        assert (dot.count, dot.not_finite) == (len(finite), len(columns[dot.x]) - len(finite))
        if finite:
            assert (dot.low, dot.high) == (min(finite), max(finite))
            assert dot.value == pytest.approx(sum(finite) / len(finite), abs=1e-9)


@given(
    values=st.lists(VALUES, min_size=1, max_size=200),
    alpha=st.sampled_from([0.5, 0.9, 0.99]),
)
def test_where_each_reading_has_its_dot_the_average_is_the_exponential_one(values: list[float], alpha: float):
    one = curve([(float(i), value) for i, value in enumerate(values)])
    dots = dots_of(one, 0.0, float(max(1, len(values) - 1)), max(2, len(values)))
    averaged = smoothed(one, dots, 0.0, alpha)
    assert averaged == pytest.approx(list(exponential_moving_average(values, 1 / (1 - alpha))), nan_ok=True, abs=1e-9)


@given(start=st.integers(1, 399), alpha=st.sampled_from([0.5, 0.9]))
def test_the_average_does_not_change_with_what_is_in_view(start: int, alpha: float):
    values = [math.sin(i) + 3 for i in range(400)]
    one = curve([(float(i), value) for i, value in enumerate(values)])
    whole = list(exponential_moving_average(values, 1 / (1 - alpha)))
    dots = dots_of(one, float(start), 399.0, 400 - start)
    averaged = smoothed(one, dots, float(start), alpha)
    assert averaged[-1] == pytest.approx(whole[-1], abs=5e-3)
    assert averaged[0] == pytest.approx(whole[round(dots[0].x) + start], abs=5e-3)


def test_a_constant_stays_itself_however_many_readings_a_dot_has():
    one = curve([(float(i), 2.5) for i in range(10_000)])
    for alpha in (0.6, 0.999):
        assert smoothed(one, dots_of(one, 0.0, 9999.0, 50), 0.0, alpha) == pytest.approx([2.5] * 50)


def test_between_two_dots_the_curve_is_a_line_and_in_a_gap_nothing():
    dots = dots_of(curve([(0, 1.0), (10, 2.0), (20, math.nan), (30, 4.0)]), 0.0, 30.0, 31)
    values = [dot.value for dot in dots]
    assert [value_at(dots, values, x) for x in (0, 5, 10, 15, 20, 25, 30, 31)] == [
        1.0, 1.5, 2.0, None, None, None, 4.0, None,
    ]  # fmt: skip
