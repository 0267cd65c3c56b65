"""What a person reads in the picture of one or several runs."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from minigpt_tui.engine.history.run_history import AXES, RunHistory
from minigpt_tui.tui.charts.braille_plot import draw_plot, gutter_of, plot_width
from minigpt_tui.tui.charts.reference_lines import REFERENCE_LINES
from minigpt_tui.tui.charts.run_plot import PlotSettings, PlottedRun, plot
from minigpt_tui.tui.charts.spans import Looks, Span

from ..curves import course

COLOURED, DASHED, ASCII = Looks(), Looks(dashed=True), Looks(ascii=True, dashed=True)


def runs(*histories: RunHistory) -> list[PlottedRun]:
    return [PlottedRun(f"run-{slot + 1}", slot, history) for slot, history in enumerate(histories)]


def drawn(
    plotted: list[PlottedRun], width: int = 80, height: int = 20, looks: Looks = COLOURED, at: float | None = None,
    **settings: object,
) -> list[list[Span]]:  # fmt: skip
    drawing = plot(plotted, replace(PlotSettings(), **settings), plot_width(width))  # type: ignore[arg-type]
    assert drawing is not None
    return draw_plot(drawing, width, height, looks, None if at is None else round(drawing.column(at)))


def text(rows: list[list[Span]]) -> list[str]:
    return ["".join(span.text for span in row) for row in rows]


@pytest.mark.parametrize("looks", [COLOURED, DASHED, ASCII], ids=["colours", "dashes", "ascii"])
@pytest.mark.parametrize("size", [(1, 1), (10, 3), (23, 4), (24, 5), (40, 8), (120, 40)], ids=str)
def test_every_size_is_filled_exactly(size: tuple[int, int], looks: Looks):
    width, height = size
    for shown in (runs(course()), runs(course(), course(100, 1.2), course(10))):
        for at in (None, 50.0):
            rows = text(drawn(shown, width, height, looks, at))
            assert [len(row) for row in rows] == [width] * height
            # what is read stands at the top; the filter of the terminal has its signs
            assert not looks.ascii or all(row.isascii() for row in rows[height // 4 + 1 :])


def test_one_run_has_its_losses_its_floor_and_what_happened():
    rows = text(drawn(runs(course(floor=1.2))))
    assert rows[0].split() == ["─", "train", "1.50", "━", "val", "1.60"]
    assert any("floor 1.20" in row for row in rows)
    assert [sign for sign in rows[-2] if sign != " "] == ["·", "~", "!", "★"]
    assert rows[-1].split()[:2] == ["└", "0"]


def test_the_cursor_reads_each_run_and_its_distance_from_the_first():
    rows = text(drawn(runs(course(), course(level=1.4), course(50, 1.3)), at=150.0, smoothing=0.0))
    assert rows[0].startswith("step 150  ━ run-1 1.517 / 1.617  ━ run-2 1.417 (−0.100) / 1.517 (−0.100)")
    assert "━ run-3 –" in rows[1]
    assert "paused" in rows[1]
    column = gutter_of(80) + round(150 / 200 * (plot_width(80) - 1)) // 2
    assert sum(row[column] == "│" for row in rows[2:]) > 10


def test_more_runs_than_fit_are_counted():
    shown = [PlottedRun(f"a run with a long name {i}", i, course(level=1 + i / 10)) for i in range(12)]
    assert text(drawn(shown, 60, 12))[2].rstrip().endswith("+9")


@pytest.mark.parametrize(
    ("axis", "label"), [("steps", "200"), ("tokens", "2k"), ("seconds", "100 s"), ("epochs", "2")], ids=AXES
)
def test_the_axis_is_in_its_unit(axis: str, label: str):
    assert text(drawn(runs(course()), axis=axis))[-1].rstrip().endswith(f" {label}")


def test_a_loss_that_is_no_number_is_a_gap_with_a_mark():
    whole, broken = (drawn(runs(course(40, nan_at=nan_at)), smoothing=0.0, shown="train") for nan_at in (None, 20))
    alarms = [span.text for span in broken[-2] if span.role == "alarm"]
    assert alarms == ["×"]
    assert "1 NaN" in text(broken)[0]
    column = gutter_of(80) + round(20 / 40 * (plot_width(80) - 1)) // 2
    dots = [sum(row[column] > "\u2800" for row in text(rows)[1:-2]) for rows in (whole, broken)]
    assert dots[0] > 0 == dots[1]


def test_what_was_read_lies_pale_behind_the_average():
    history = RunHistory()
    history.extend([(float(i), i, i, 2 + math.sin(i), 1e-3, *[math.nan] * 4) for i in range(1, 400)])
    roles = {span.role for row in drawn(runs(history)) for span in row}
    assert {"raw", "train"} <= roles
    assert "raw" not in {span.role for row in drawn(runs(history), smoothing=0.0) for span in row}


def test_without_colours_dashes_and_letters_tell_runs_apart():
    shown = runs(course(), course(level=1.1))
    rows = text(drawn(shown, looks=DASHED, shown="train"))
    assert rows[0].rstrip().split("  ") == ["━ a run-1 1.505", "━ b run-2 1.105 (−0.400)"]
    body = [row[gutter_of(80) :] for row in rows[1:-2]]
    assert sum(row.rstrip().endswith(("a", "b")) for row in body) == 2
    body = [row[gutter_of(80) :] for row in text(drawn(shown, looks=ASCII))[1:-2]]
    assert {"a", "b", "A", "B"} <= set("".join(body))


def test_runs_without_a_common_text_have_no_floor():
    assert not any("floor" in row for row in text(drawn(runs(course(floor=1.2), course()))))


def test_published_losses_are_lines_with_their_names():
    rows = text(drawn(runs(course()), references=(REFERENCE_LINES[0],)))
    assert any("nanoGPT char 1.47" in row for row in rows)


def test_nothing_finite_is_no_picture():
    assert plot(runs(RunHistory()), PlotSettings(), 100) is None
    assert plot([], PlotSettings(), 100) is None
    history = RunHistory()
    history.extend([(1.0, 1.0, 1.0, math.nan, 1.0, *[math.nan] * 4)])
    assert plot(runs(history), PlotSettings(), 100) is None


def test_a_view_between_two_readings_has_the_line_between_them():
    drawing = plot(runs(course(200, every=100)), PlotSettings(start=120.0, end=140.0, shown="train"), 100)
    assert drawing is not None
    assert 1.5 < drawing.scale.low < drawing.scale.high < 1.6


def test_a_log_scale_has_no_place_for_zero():
    history = RunHistory()
    history.extend([(float(i), i, i, max(0.0, 1 - i / 50), 1e-3, *[math.nan] * 4) for i in range(1, 100)])
    assert len(drawn(runs(history), logarithmic=True)) == 20
