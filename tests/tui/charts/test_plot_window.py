from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minigpt_tui.tui.charts.plot_window import FINEST, PlotWindow

MOVES = st.sampled_from(["in", "out", "left", "right", "back", "whole", "cursor left", "cursor right", "grow"])


def move(window: PlotWindow, name: str) -> None:
    span = window.shown_end - window.start
    match name:
        case "in" | "out":
            window.zoom(0.5 if name == "in" else 2.0)
        case "left" | "right":
            window.pan(-1 if name == "left" else 1)
        case "back":
            window.back()
        case "whole":
            window.show_whole()
        case "grow":
            window.whole *= 1.5
        case _:
            window.move_cursor(span / 50 * (-1 if name == "cursor left" else 1))


@given(st.lists(MOVES, max_size=40))
def test_what_is_in_view_is_always_a_part_of_the_whole(moves: list[str]):
    window = PlotWindow(whole=1000.0)
    for name in moves:
        move(window, name)
        assert -1e-6 <= window.start < window.shown_end <= window.whole + 1e-6
        assert window.shown_end - window.start >= 1000.0 * FINEST * 0.999
        if window.cursor is not None and name.startswith("cursor"):
            assert window.start - 1e-6 <= window.cursor <= window.shown_end + 1e-6


@given(st.floats(1, 999), st.integers(1, 8))
def test_zooming_in_and_out_around_the_cursor_comes_back(cursor: float, times: int):
    window = PlotWindow(whole=1000.0)
    window.set_cursor(cursor)
    for _ in range(times):
        window.zoom(0.5)
        assert window.start <= cursor <= window.shown_end
    span = window.shown_end - window.start
    assert span == pytest.approx(1000.0 / 2**times)
    assert (cursor - window.start) / span == pytest.approx(cursor / 1000.0, abs=1e-6)
    for _ in range(times):
        window.back()
    assert window.is_whole


def test_without_a_cursor_the_newest_part_is_zoomed_and_follows_the_run():
    window = PlotWindow(whole=100.0)
    window.zoom(0.5)
    assert (window.start, window.shown_end) == (50.0, 100.0)
    window.whole = 120.0
    assert window.shown_end == 120.0
    window.pan(-1)
    window.whole = 200.0
    assert window.shown_end == pytest.approx(102.5)


def test_a_cursor_at_the_side_takes_the_view_along():
    window = PlotWindow(whole=100.0)
    window.zoom(0.5)
    window.set_cursor(50.0)
    window.move_cursor(-10)
    assert (window.start, window.shown_end) == (40.0, 90.0)
    window.restart()
    assert window.is_whole
    assert window.cursor is None
