"""The picture of a plot: well-formed, whatever the runs are called."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from minigpt_tui.engine.events import Note
from minigpt_tui.tui.charts.reference_lines import REFERENCE_LINES
from minigpt_tui.tui.charts.run_plot import PlotSettings, PlottedRun, plot
from minigpt_tui.tui.charts.svg_plot import HEIGHT, PLOT_WIDTH, WIDTH, draw_svg

from ..curves import course

TEXT = "{http://www.w3.org/2000/svg}text"


def picture(runs: list[PlottedRun], **settings: object) -> ET.Element:
    drawing = plot(runs, PlotSettings(**settings), PLOT_WIDTH)  # type: ignore[arg-type]
    assert drawing is not None
    return ET.fromstring(draw_svg(drawing))


def words(root: ET.Element) -> list[str]:
    return [element.text or "" for element in root.iter(TEXT)]


def test_a_run_has_its_curves_its_axis_and_what_happened():
    root = picture([PlottedRun("one", 0, course(floor=1.2))], references=REFERENCE_LINES[:1])
    shown = words(root)
    assert "one train 1.505 val 1.603" in shown
    assert {"floor 1.20", "nanoGPT char 1.47", "★", "!", "·", "200"} <= set(shown)
    titles = [element.text for element in root.iter(f"{TEXT[:-4]}title")]
    assert "step 150: paused" in titles


@pytest.mark.parametrize("name", ['<script>alert("1")</script>', "a & b", "\x00\x1b[2J\ufffe", "🦜 café"], ids=ascii)
def test_foreign_names_and_notes_are_text(name: str):
    history = course()
    history.apply(Note(100, name))
    root = picture([PlottedRun(name, 0, history), PlottedRun("two", 1, course(level=1.2))])
    assert [element.tag for element in root.iter() if "script" in element.tag] == []


def test_runs_differ_in_colour_and_in_dashes():
    root = picture([PlottedRun(f"run {i}", i, course(level=1 + i / 10)) for i in range(8)])
    looks = {(each.get("stroke"), each.get("stroke-dasharray")) for each in root.iter() if each.get("stroke-width")}
    assert len({colour for colour, _ in looks}) == len({dash for _, dash in looks}) == 8


def test_many_runs_leave_room_for_the_curves():
    root = picture([PlottedRun(f"run {i}", i, course(level=1 + i / 10)) for i in range(30)])
    view = root.find(f"{TEXT[:-4]}clipPath/{TEXT[:-4]}rect")
    assert view is not None
    assert float(view.get("height") or 0) > HEIGHT / 3
    assert root.get("viewBox") == f"0 0 {WIDTH} {HEIGHT}"
