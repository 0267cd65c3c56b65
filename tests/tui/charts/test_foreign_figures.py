"""Runs from elsewhere may hold any numbers and names: each is drawn in the room that there is, or as nothing."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st
from minigpt_tui.engine.events import CheckpointSaved, Evaluation, LayerNorms, Note, Started, Step, TrainingEvent
from minigpt_tui.engine.history.run_history import AXES, RunHistory
from minigpt_tui.tui.charts.braille_plot import draw_plot, plot_width
from minigpt_tui.tui.charts.figure_grid import draw_grid
from minigpt_tui.tui.charts.plot_window import PlotWindow
from minigpt_tui.tui.charts.run_plot import SMOOTHINGS, PlotSettings, PlottedRun, extent, plot
from minigpt_tui.tui.charts.spans import Looks, Span
from minigpt_tui.tui.charts.svg_plot import PLOT_WIDTH, draw_svg
from rich.cells import cell_len

FIGURES = st.one_of(
    st.floats(-2, 8), st.sampled_from([0.0, -1.0, 1e-300, 1e300, -1e300, 5e-324, 1e100, math.nan, math.inf, -math.inf])
)
STEPS = st.one_of(st.integers(0, 300), st.integers(0, 2**64))
EVENTS = st.one_of(
    st.builds(
        Step, STEPS, st.none(), st.one_of(st.integers(0, 9999), st.just(-5), st.just(2**63)), FIGURES, st.none(),
        FIGURES, FIGURES, st.none() | FIGURES, FIGURES, st.integers(-5, 2**64), st.none() | FIGURES,
    ),
    st.builds(Evaluation, STEPS, *[FIGURES] * 4, st.just("full"), st.booleans(), st.none() | FIGURES),
    st.builds(
        Started, STEPS, st.none(), st.just(1), st.just(1), st.sampled_from([-1, 0, 5, 1000]), *[st.just(1)],
        *[st.just("")] * 3, st.just(1), st.just(""), st.just(1.0), st.none() | FIGURES,
    ),
    st.builds(CheckpointSaved, STEPS, st.just("last")),
    st.builds(LayerNorms, STEPS, st.dictionaries(st.sampled_from(["a", "b\x1b["]), FIGURES), st.just({})),
    st.builds(Note, STEPS, st.sampled_from(["", "漢字\x1b]0;y\x07"])),
)  # fmt: skip


def history_of(events: list[TrainingEvent]) -> RunHistory:
    history = RunHistory()
    for event in events:
        history.apply(event)
    return history


def fills(rows: list[list[Span]], width: int, height: int) -> bool:
    return len(rows) == height and all(sum(cell_len(span.text) for span in row) == width for row in rows)


@settings(max_examples=60, deadline=None)
@given(
    courses=st.lists(st.lists(EVENTS, max_size=25), min_size=1, max_size=3),
    drawn=st.builds(
        PlotSettings, st.sampled_from(AXES), st.booleans(), st.sampled_from(SMOOTHINGS),
        st.sampled_from(["both", "train", "validation"]),
    ),
    size=st.tuples(st.sampled_from([1, 10, 23, 40, 90]), st.sampled_from([1, 4, 9, 24])),
    zooms=st.integers(0, 5), looks=st.builds(Looks, st.booleans(), st.booleans()), data=st.data(),
)  # fmt: skip
def test_any_run_is_drawn_in_the_room_that_there_is(
    courses: list[list[TrainingEvent]], drawn: PlotSettings, size: tuple[int, int], zooms: int, looks: Looks,
    data: st.DataObject,
):  # fmt: skip
    width, height = size
    runs = [PlottedRun(f"漢字\x1b[2J{slot}", slot, history_of(events)) for slot, events in enumerate(courses)]
    window = PlotWindow(whole=extent(runs, drawn.axis))
    for _ in range(zooms):
        window.zoom(0.5)
        window.pan(-1)
    drawn = PlotSettings(drawn.axis, drawn.logarithmic, drawn.smoothing, drawn.shown, window.start, window.end)
    cursor = data.draw(st.none() | st.integers(0, plot_width(width) - 1))
    if (drawing := plot(runs, drawn, plot_width(width))) is not None:
        assert fills(draw_plot(drawing, width, height, looks, cursor), width, height)
    if (drawing := plot(runs, drawn, PLOT_WIDTH)) is not None:
        ET.fromstring(draw_svg(drawing))
    assert fills(draw_grid(runs, drawn, width, height, looks, window.start), width, height)
