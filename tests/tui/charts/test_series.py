import math

import pytest
from minigpt_tui.tui.charts.series import Series, exponential_moving_average

NAN, INF = math.nan, math.inf


def filled(points, capacity=4096) -> Series:
    series = Series(capacity)
    for x, y in points:
        series.append(x, y)
    return series


def test_keeps_every_point_while_there_is_room():
    series = filled([(1, 3.0), (2, 2.0), (5, 1.0)])
    assert [(b.x, b.low, b.mean, b.high) for b in series.buckets] == [(1, 3, 3, 3), (2, 2, 2, 2), (5, 1, 1, 1)]
    assert (series.last_x, series.last, len(series)) == (5, 1.0, 3)


def test_merges_pairs_when_full_and_loses_no_extreme():
    series = filled([(x, float(x % 7)) for x in range(1000)], capacity=64)
    assert len(series.buckets) <= 64
    assert len(series) == 1000
    assert min(b.low for b in series.buckets) == 0
    assert max(b.high for b in series.buckets) == 6
    points_per_bucket = {b.finite for b in series.buckets[:-1]}
    assert points_per_bucket == {16}
    mean = sum(b.mean * b.finite for b in series.buckets) / 1000
    assert mean == pytest.approx(sum(x % 7 for x in range(1000)) / 1000)
    xs = [b.x for b in series.buckets]
    assert xs == sorted(xs)


def test_odd_capacity_merges_too():
    series = filled([(x, 1.0) for x in range(100)], capacity=5)
    assert len(series) == 100
    assert len(series.buckets) <= 5


def test_values_that_are_not_finite_are_gaps_and_counted():
    series = filled([(0, 1.0), (1, NAN), (2, INF), (3, -INF), (4, 2.0)])
    assert series.not_finite == 3
    assert [b.finite for b in series.buckets] == [1, 0, 0, 0, 1]
    assert math.isnan(series.buckets[1].mean)
    assert series.last == 2.0


def test_merging_a_gap_with_a_value_keeps_the_value():
    series = filled([(0, NAN), (1, 5.0), (2, 3.0), (3, NAN), (4, 1.0)], capacity=4)
    assert [(b.x, b.mean, b.finite, b.not_finite) for b in series.buckets] == [(0, 5, 1, 1), (2, 3, 1, 1), (4, 1, 1, 0)]


def test_never_goes_backwards():
    series = filled([(10, 1.0), (20, 2.0), (15, 9.0)])
    assert [b.x for b in series.buckets] == [10, 20]
    assert series.last == 2.0


def test_a_repeated_last_point_replaces_it():
    series = filled([(10, 1.0), (20, 2.0), (20, 3.0)])
    assert [(b.x, b.mean) for b in series.buckets] == [(10, 1), (20, 3)]


def test_resume_replaces_the_tail_only_when_its_points_come_again():
    series = filled([(x, 1.0) for x in (10, 20, 30, 40)])
    series.resume(25)
    assert len(series) == 4
    series.append(30, 7.0)
    assert [(b.x, b.mean) for b in series.buckets] == [(10, 1), (20, 1), (30, 7)]
    series.append(20, 9.0)  # the repetition is over: older points are out of date again
    assert series.last == 7.0


def test_resume_does_not_reach_before_its_point():
    series = filled([(x, 1.0) for x in (10, 20, 30)])
    series.resume(20)
    series.append(10, 5.0)
    assert len(series) == 3


def test_the_version_changes_with_the_points_only():
    series = filled([(10, 1.0)])
    before = series.version
    series.append(5, 1.0)
    assert series.version == before
    series.append(11, 1.0)
    assert series.version != before


def test_average_of_a_constant_is_the_constant_from_the_first_value_on():
    assert list(exponential_moving_average([2.0] * 5, horizon=10)) == pytest.approx([2.0] * 5)


def test_average_leaves_gaps_and_is_not_poisoned_by_them():
    smooth = list(exponential_moving_average([1.0, NAN, 1.0, INF, 1.0], horizon=3))
    assert [math.isnan(v) for v in smooth] == [False, True, False, True, False]
    assert smooth[4] == pytest.approx(1.0)


def test_a_horizon_of_one_changes_nothing():
    assert list(exponential_moving_average([3.0, 1.0, 2.0], horizon=1)) == [3.0, 1.0, 2.0]


def test_average_weighs_recent_values_more():
    smooth = list(exponential_moving_average([0.0] * 1000 + [1.0] * 10, horizon=10))
    assert smooth[999] == 0
    assert smooth[1009] == pytest.approx(1 - 0.9**10)


def test_average_follows_a_steep_beginning():
    values = [4 * 0.9**i for i in range(100)]
    smooth = list(exponential_moving_average(values, horizon=50))
    assert smooth[30] < values[24]
