"""The frame of the three desks: how one turns from one to the other, and what stays where it was left."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from minigpt_tui.engine.locks import acquire
from minigpt_tui.models.config import parameters_by_part
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.screens.document_way import DocumentWay
from minigpt_tui.tui.screens.inside import InsideDesk
from minigpt_tui.tui.screens.questions import Question
from minigpt_tui.tui.screens.train import TrainDesk
from minigpt_tui.tui.screens.write import WriteDesk
from minigpt_tui.tui.widgets.header_line import DESKS
from textual.pilot import Pilot

from .runs_on_disk import append, make_run, progress
from .scripted_engine import ScriptedEngine
from .seen import screen_text
from .waiting import wait_until

Engine = type[ScriptedEngine]
KINDS = {"write": WriteDesk, "train": TrainDesk, "inside": InsideDesk}


def first_line(pilot: Pilot[Any]) -> str:
    return screen_text(pilot.app).splitlines()[0]


async def test_each_desk_has_its_keys_and_every_header_names_all(engine: Engine):
    make_run("a-01")
    async with MinigptApp().run_test(size=(120, 40)) as pilot:
        await wait_until(pilot, lambda: "a-01" in first_line(pilot))
        await pilot.press(*"draft")
        desks = {"ctrl+r": TrainDesk, "f12": InsideDesk, "alt+1": WriteDesk, "alt+2": TrainDesk, "alt+3": InsideDesk}
        for key, desk in (*desks.items(), ("f4", WriteDesk)):
            await pilot.press(key)
            await wait_until(pilot, lambda desk=desk: isinstance(pilot.app.screen, desk))
            await wait_until(pilot, lambda: "1 write  2 train  3 inside   a-01" in first_line(pilot))
            assert "✓ finished" in first_line(pilot)
        assert "draft" in screen_text(pilot.app)
        assert pilot.app.screen.query_one("#prompt").has_focus


@pytest.mark.parametrize(
    "size", [pytest.param((60, 20), id="60x20"), pytest.param((120, 40), id="120x40", marks=pytest.mark.long)]
)
async def test_a_click_on_a_name_turns_to_that_desk(engine: Engine, size: tuple[int, int]):
    run = make_run("a-01", "running", steps=250)
    with acquire(run.lock_path) or pytest.fail("locked"):
        async with MinigptApp().run_test(size=size) as pilot:
            await wait_until(pilot, lambda: "training" in first_line(pilot))
            for name in ("inside", "train", "write"):
                await pilot.click("#header", offset=(first_line(pilot).index(name), 0))
                await wait_until(pilot, lambda name=name: isinstance(pilot.app.screen, KINDS[name]))
                await wait_until(pilot, lambda: "● training" in first_line(pilot))
                assert [desk in first_line(pilot) for desk in DESKS] == [True] * 3


async def test_a_desk_keeps_its_marked_row_and_a_box_above_it(engine: Engine):
    for number in range(1, 6):
        make_run(f"a-0{number}")
    async with MinigptApp().run_test(size=(120, 40)) as pilot:
        await pilot.press("ctrl+r", "down", "down")
        row = pilot.app.screen.query_one("#runs-table").cursor_row  # type: ignore[attr-defined]
        await pilot.press("f12", "ctrl+r")
        assert isinstance(pilot.app.screen, TrainDesk)
        assert pilot.app.screen.runs.table.cursor_row == row
        await pilot.press("d")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, Question))
        await pilot.press("f4")
        assert isinstance(pilot.app.screen, Question), "a question is answered first"


async def test_figures_go_on_on_every_desk(engine: Engine):
    run = make_run("a-01", "running", steps=50)
    with acquire(run.lock_path) or pytest.fail("locked"):
        async with MinigptApp(poll_interval=0.01).run_test(size=(120, 40)) as pilot:
            for step, key in ((60, "f12"), (70, "ctrl+r"), (80, "f4")):
                await pilot.press(key)
                append(run, progress(step))
                await wait_until(pilot, lambda step=step: f"step {step}/400" in first_line(pilot))


async def test_inside_says_where_the_parameters_are(engine: Engine):
    run = make_run("a-01")
    parts = parameters_by_part(run.manifest().model)
    async with MinigptApp().run_test(size=(120, 40)) as pilot:
        await pilot.press("f12")
        await wait_until(pilot, lambda: "parameters" in screen_text(pilot.app))
        text = screen_text(pilot.app)
        assert f"{sum(parts.values()):,} parameters" in text
        assert [f"{number:,}" in text for number in parts.values()] == [True] * len(parts)
        assert "tokens" not in [box.border_title for box in pilot.app.screen.query("#tokens-box") if box.region]


async def test_a_way_that_takes_long_to_be_made_has_the_keyboard_all_the_same(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
):
    async def wait(_: DocumentWay) -> None:
        await asyncio.sleep(0.3)

    monkeypatch.setattr(DocumentWay, "on_compose", wait, raising=False)
    make_run("a-01")
    async with MinigptApp().run_test(size=(120, 40)) as pilot:
        desk = pilot.app.screen
        assert isinstance(desk, WriteDesk)
        way = desk.show_way("document")
        assert isinstance(way, DocumentWay)
        await wait_until(pilot, lambda: way.pane.has_focus, seconds=10)
