"""The loss chart without a terminal: the canvas of braille dots, the scale, and the drawing."""

import math

import pytest
from minigpt_tui.tui.charts.braille import Canvas
from minigpt_tui.tui.charts.loss_plot import Cell, draw
from minigpt_tui.tui.charts.scale import Scale, fitted, labels
from minigpt_tui.tui.charts.series import Series

from ..curves import falling, series

NAN = math.nan


def text(rows: list[list[Cell]]) -> list[str]:
    return ["".join(cell.text for cell in row) for row in rows]


def columns_of(rows: list[list[Cell]], role: str) -> set[int]:
    """The columns of the plot, without legend and steps, in which something of `role` is drawn."""
    return {i for row in rows[1:-1] for i, cell in enumerate(row) if cell.role == role}


# --- the canvas -----------------------------------------------------------------------------------


def test_dots_are_placed_as_unicode_orders_them():
    canvas = Canvas(1, 1)
    for x, y, expected in ((0, 0, "⠁"), (1, 0, "⠉"), (0, 3, "⡉"), (1, 3, "⣉"), (1, 1, "⣙")):
        canvas.dot(x, y, 1)
        assert canvas.braille(0, 0) == expected


def test_the_last_ink_owns_the_cell():
    canvas = Canvas(2, 1)
    canvas.line(0, 0, 3, 0, 1)
    canvas.dot(0, 3, 2)
    assert (canvas.braille(0, 0), canvas.ink(0, 0)) == ("⡀", 2)
    assert (canvas.braille(1, 0), canvas.ink(1, 0)) == ("⠉", 1)


def test_a_line_touches_each_column_and_leaves_out_what_lies_beside():
    canvas = Canvas(3, 2)
    canvas.line(0, 0, 5, 7, 1)
    assert [canvas.ink(c, r) for r in range(2) for c in range(3)] == [1, 1, 0, 0, 1, 1]
    canvas.line(-5, -5, 50, -5, 1)
    assert canvas.braille(2, 0) == " "


def test_halves_for_fonts_without_braille():
    canvas = Canvas(4, 1)
    canvas.dot(0, 0, 1)
    canvas.dot(2, 3, 1)
    canvas.line(4, 0, 4, 3, 1)
    assert "".join(canvas.halves(column, 0) for column in range(4)) == "'.: "


# --- the scale ------------------------------------------------------------------------------------


SCALES = [
    *(Scale(*ends) for ends in ((0.5, 4.3), (1.4, 2.6), (1.9, 2.1), (0.001, 0.02), (100, 2000), (-1, 1))),
    *(Scale(*ends, True) for ends in ((0.5, 4.3), (1.4, 2.6), (0.001, 0.02), (1e-5, 4.0))),
]


@pytest.mark.parametrize("scale", SCALES, ids=str)
@pytest.mark.parametrize("most", [2, 3, 4])
def test_between_two_and_four_ticks_inside_with_different_labels(scale, most):
    low, high, ticks = scale.low, scale.high, scale.ticks(most)
    assert 2 <= len(ticks) <= most
    assert all(low <= tick <= high for tick in ticks)
    assert len(set(labels(ticks))) == len(ticks)


def test_ticks_are_round():
    assert labels(Scale(0.5, 4.3).ticks(4)) == ["1", "2", "3", "4"]
    assert labels(Scale(1.93, 2.09).ticks(4)) == ["1.95", "2.00", "2.05"]
    assert labels(Scale(0.004, 4.3, True).ticks(4)) == ["0.02", "0.2", "2"]


def test_the_highest_values_do_not_flatten_the_rest():
    scale = fitted([[2.0, 1.0] * 500 + [90.0] * 3], [], logarithmic=False)
    assert scale is not None
    assert scale.high < 2.2
    with_floor = fitted([[2.0, 1.0]], [0.5], logarithmic=False)
    assert with_floor is not None
    assert with_floor.low < 0.5


@pytest.mark.parametrize("logarithmic", [False, True])
def test_a_constant_gets_room_on_both_sides(logarithmic):
    scale = fitted([[2.0, 2.0]], [], logarithmic)
    assert scale is not None
    assert scale.low < 2.0 < scale.high
    assert 0.2 < scale.position(2.0) < 0.8


def test_what_has_no_place_has_no_scale():
    assert fitted([[NAN], []], [0.5], logarithmic=False) is None
    assert fitted([[0.0, -1.0]], [], logarithmic=True) is None
    assert math.isnan(Scale(1.0, 2.0, True).position(0.0))


# --- the drawing ----------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [1, 10, 20, 36, 180])
@pytest.mark.parametrize("height", [1, 3, 4, 5, 16, 50])
@pytest.mark.parametrize("ascii", [False, True])
def test_fills_its_rectangle_exactly(width, height, ascii):
    rows = draw(falling(), series((50, 2.2), (200, 1.6)), 0.55, width, height, ascii=ascii)
    assert len(rows) == height
    assert {len(row) for row in rows} == {width}
    if ascii:
        assert "".join(text(rows)).isascii()


def test_no_points_is_a_sentence():
    assert [line.strip() for line in text(draw(Series(), Series(), None, 20, 5, empty="no run yet"))] == [
        "", "", "no run yet", "", "",
    ]  # fmt: skip


def test_only_nan_is_a_sentence_too():
    assert "".join(text(draw(series((1, NAN)), Series(), None, 20, 5, empty="nothing"))).strip() == "nothing"


def test_one_point():
    rows = draw(series((10, 2.0)), Series(), None, 36, 12)
    assert sum(cell.role == "train" for row in rows[1:] for cell in row) == 1
    assert "train 2.00" in text(rows)[0]


def test_two_points_are_connected():
    rows = draw(series((0, 3.0), (100, 1.0)), Series(), None, 36, 12)
    plot_columns = columns_of(rows, "train")
    assert plot_columns == set(range(min(plot_columns), 36))
    tops = [min(r for r, row in enumerate(rows[1:-1]) if row[c].role == "train") for c in sorted(plot_columns)]
    assert tops == sorted(tops)
    assert tops[0] < tops[-1]


def test_a_constant_is_a_straight_line():
    rows = draw(series(*((x, 2.0) for x in range(100))), Series(), None, 36, 12)
    assert len({r for r, row in enumerate(rows[1:-1]) if any(c.role == "train" for c in row)}) == 1


def test_losses_that_are_not_finite_leave_a_gap_and_an_alarm():
    lost = series(*((x, NAN if 40 <= x < 60 else 2.0) for x in range(101)))
    rows = draw(lost, Series(), None, 36, 12)
    drawn = columns_of(rows, "train")
    gap = [c for c in range(min(drawn), max(drawn) + 1) if c not in drawn]
    assert len(gap) >= 5
    assert set(gap) <= columns_of(rows, "alarm")
    assert "20 NaN" in text(rows)[0]


def test_non_positive_losses_are_gaps_on_a_logarithmic_scale():
    rows = draw(series((0, 2.0), (1, 0.0), (2, -1.0), (3, 1.0)), Series(), None, 36, 12, logarithmic=True)
    assert sum(cell.role == "train" for row in rows[1:-1] for cell in row) == 2
    assert "log" in text(rows)[0]


def test_only_non_positive_losses_on_a_logarithmic_scale():
    rows = draw(series((0, 0.0), (1, -1.0)), Series(), 0.5, 36, 12, logarithmic=True, empty="nothing")
    assert "nothing" in text(rows)[6]


def test_validation_owns_the_cells_it_shares_with_training():
    both = series((0, 2.0), (100, 2.0))
    rows = draw(both, both, None, 36, 12)
    assert columns_of(rows, "train") == set()
    assert len(columns_of(rows, "validation")) >= 30


def test_the_floor_is_drawn_and_named():
    rows = draw(falling(), Series(), 0.55, 36, 12)
    (floor,) = [line for line in text(rows) if "floor 0.55" in line]
    assert text(rows).index(floor) > 6
    assert sum(cell.role == "floor" for cell in rows[text(rows).index(floor)]) > 20


def test_the_spread_of_the_readings_is_tinted_behind_the_curve():
    noisy = series(*((x, 2.0 + (0.5 if x % 2 else -0.5)) for x in range(1000)))
    rows = draw(noisy, Series(), None, 36, 16)
    tinted = {r for r, row in enumerate(rows) if any(cell.in_band for cell in row)}
    curve = {r for r, row in enumerate(rows[1:-1], 1) if any(cell.role == "train" for cell in row)}
    assert curve < tinted
    assert not any(cell.in_band for row in draw(noisy, Series(), None, 36, 16, ascii=True) for cell in row)


def test_axis_labels_and_ends_of_the_steps():
    rows = text(draw(series(*((x, 1 + 3 * math.exp(-x / 300)) for x in range(0, 1201, 10))), Series(), None, 36, 16))
    assert [row.split("┤")[0].strip() for row in rows if "┤" in row] == ["4", "3", "2", "1"]
    assert rows[-1].split()[0] == "0"
    assert rows[-1].split()[-1] == "1.2k"


def test_a_window_shows_the_last_part_only():
    rows = text(draw(series(*((x, 100.0 if x < 500 else 2.0 + x / 1000) for x in range(1001))), Series(), None, 36, 16,
                     window=0.25))  # fmt: skip
    assert rows[-1].split()[0] == "750"
    assert "last 1/4" in rows[0]
    assert "100" not in "".join(rows[1:-1])


def test_the_work_does_not_grow_with_the_points():
    many = series(*((x, 2.0 + (x % 10) / 10) for x in range(50_000)))
    assert len(many.buckets) <= 4096
    assert text(draw(many, Series(), None, 36, 12))[-1].endswith("50k")
