"""The figures of runs side by side."""

from __future__ import annotations

import math

import pytest
from minigpt_tui.engine.events import LayerNorms
from minigpt_tui.engine.history.run_history import RunHistory
from minigpt_tui.tui.charts.figure_grid import draw_grid, figures_of, tiles_per_page
from minigpt_tui.tui.charts.run_plot import PlotSettings, PlottedRun
from minigpt_tui.tui.charts.spans import Looks

from ..curves import course


def measured() -> RunHistory:
    history = course()
    for step in (50, 100, 150, 200):
        history.apply(LayerNorms(step, {"embedding": 5.0, "block 0": 7 + step / 100}, {"block 0": 1e-3}))
    return history


def text(runs: list[PlottedRun], width: int, height: int, cursor: float | None = None, page: int = 0) -> list[str]:
    rows = draw_grid(runs, PlotSettings(), width, height, Looks(), cursor, page)
    return ["".join(span.text for span in row) for row in rows]


@pytest.mark.parametrize("size", [(1, 1), (20, 4), (33, 9), (76, 12), (116, 30), (200, 60)], ids=str)
def test_every_size_is_filled_exactly(size: tuple[int, int]):
    width, height = size
    for page in range(3):
        rows = text([PlottedRun("one", 0, measured()), PlottedRun("two", 1, course())], width, height, 100.0, page)
        assert [len(row) for row in rows] == [width] * height


def test_each_figure_that_is_known_has_its_plot_and_its_value():
    runs = [PlottedRun("one", 0, measured())]
    assert figures_of(runs) == [
        "loss", "learning_rate", "gradient_norm", "tokens_per_second", "memory", "weight_norm", "update_ratio",
    ]  # fmt: skip
    picture = "\n".join(text(runs, 120, 36))
    for words in ("learning rate  5.0e-4", "gradient norm  0.50", "speed  20k tok/s", "memory  310 MB",
                  "━ embedding 5.00", "━ block 0 1.0e-3"):  # fmt: skip
        assert words in picture


def test_what_has_no_room_is_on_the_next_page_and_after_the_last_comes_the_first():
    runs = [PlottedRun("one", 0, measured())]
    assert tiles_per_page(7, 76, 12) == (2, 2)
    pages = ["\n".join(text(runs, 76, 12, page=page)) for page in (0, 1, 2, -1)]
    assert "learning rate" in pages[0]
    assert "learning rate" not in pages[1]
    assert "weight norm" in pages[1]
    assert (pages[2], pages[3]) == (pages[0], pages[1])


def test_the_cursor_reads_every_figure_there():
    assert "learning rate  1.0e-3" in "\n".join(text([PlottedRun("one", 0, measured())], 120, 36, cursor=60.0))


def test_runs_that_have_told_nothing_are_an_empty_grid():
    assert text([PlottedRun("one", 0, RunHistory())], 10, 3) == [" " * 10] * 3
    history = RunHistory()
    history.extend([(1.0, 1.0, 1.0, 2.0, math.nan, math.nan, math.nan, math.nan, math.nan)])
    assert figures_of([PlottedRun("one", 0, history)]) == ["loss"]
