from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minigpt_tui.engine.history.binned_rows import BinnedRows, rows_per_bin_for

VALUES = st.one_of(
    st.floats(-1e6, 1e6, allow_subnormal=False).filter(lambda value: value == 0 or abs(value) > 1e-90),
    st.sampled_from([math.nan, math.inf, -math.inf, 1e300, 0.0]),
)


def bins_of(rows: BinnedRows) -> list[tuple[float, float, float, float, int, int]]:
    column = rows.figures[0]
    return list(zip(rows.places[0], column.mean, column.low, column.high, column.finite, rows.counts, strict=True))


@given(
    values=st.lists(VALUES, min_size=1, max_size=200),
    pieces=st.lists(st.integers(1, 50), min_size=1),
    capacity=st.sampled_from([2, 4, 7, 16]),
)
def test_each_bin_holds_what_its_rows_say_however_they_came(values: list[float], pieces: list[int], capacity: int):
    rows = BinnedRows(1, 1, capacity=capacity)
    done = 0
    while done < len(values):
        size = pieces[done % len(pieces)]
        rows.extend([(float(done + i), value) for i, value in enumerate(values[done : done + size])])
        done += size
    assert len(rows) <= capacity
    bins = bins_of(rows)
    starts = [int(place) for place, *_ in bins]
    assert starts[0] == 0
    for (_, mean, low, high, finite, count), start, end in zip(bins, starts, [*starts[1:], len(values)], strict=True):
        inside = values[start:end]
        kept = [value for value in inside if abs(value) <= 1e100]
        assert (count, finite) == (len(inside), len(kept))
        if kept:
            assert (low, high) == (min(kept), max(kept))
            assert mean == pytest.approx(math.fsum(kept) / len(kept), abs=1e-6)
        else:
            assert all(map(math.isnan, (mean, low, high)))


def test_a_resumed_run_replaces_what_it_repeats_once_it_does():
    rows = BinnedRows(1, 1)
    rows.extend([(float(i), 1.0) for i in range(10)])
    rows.resume(6.0)
    assert len(rows) == 10
    rows.extend([(6.0, 2.0), (7.0, 2.0)])
    assert [(place, mean) for place, mean, *_ in bins_of(rows)][5:] == [(5.0, 1.0), (6.0, 2.0), (7.0, 2.0)]
    rows.extend([(3.0, 9.0)])
    assert rows.last == (7.0, 2.0)


def test_places_never_fall_whatever_a_file_says():
    rows = BinnedRows(2, 1)
    rows.extend([(1.0, 5.0, 0.0), (2.0, math.nan, 0.0), (3.0, 1.0, 0.0), (4.0, 7.0, 0.0)])
    assert list(rows.places[1]) == [5.0, 5.0, 5.0, 7.0]


@pytest.mark.parametrize(("rows", "wanted"), [(0, 1), (16, 1), (17, 2), (33, 4), (64, 4), (65, 8)])
def test_rows_fill_the_bins_that_there_are(rows: int, wanted: int):
    assert rows_per_bin_for(rows, 16) == wanted
