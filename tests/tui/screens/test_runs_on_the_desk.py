"""The table of the train desk: its order, its filter, marks, names, the trash, and runs whose process died."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from minigpt_tui.engine.locks import acquire
from minigpt_tui.engine.run_about import about, change_about
from minigpt_tui.engine.run_trash import trash_run
from minigpt_tui.engine.runs import Run, list_runs
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.messages import RunsMarked
from minigpt_tui.tui.screens.line_box import LineBox
from minigpt_tui.tui.screens.questions import Question
from minigpt_tui.tui.screens.train import TrainDesk
from minigpt_tui.tui.screens.trash_box import TrashBox
from minigpt_tui.tui.screens.write import WriteDesk
from textual.pilot import Pilot

from ..runs_on_disk import make_run, set_status
from ..scripted_engine import ScriptedEngine
from ..seen import notices, screen_text
from ..waiting import wait_until

Engine = type[ScriptedEngine]
MARKUP = "[b]well[/b] [done"


@asynccontextmanager
async def opened(size: tuple[int, int] = (120, 40)):
    async with MinigptApp().run_test(size=size) as pilot:
        await pilot.press("ctrl+r")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, TrainDesk))
        await pilot.pause()
        yield pilot


def desk(pilot: Pilot[Any]) -> TrainDesk:
    assert isinstance(pilot.app.screen, TrainDesk)
    return pilot.app.screen


def rows(pilot: Pilot[Any]) -> list[str]:
    """The names in the order of the rows."""
    table = desk(pilot).runs.table
    return [table.get_row_at(row)[1].plain for row in range(table.row_count)]


def title(pilot: Pilot[Any]) -> str:
    return str(desk(pilot).runs.border_title)


def three_runs() -> list[Run]:
    """c-01 is the newest, b-02 the best, a-03 has no figures."""
    runs = [make_run(name, steps=steps) for name, steps in (("a-03", 100), ("b-02", 200), ("c-01", 300))]
    for age, (run, best) in enumerate(zip(runs, (None, 1.25, 1.5), strict=True)):
        run.write_status(replace(run.status(), best_validation_loss=best))  # pyright: ignore[reportArgumentType]
        os.utime(run.path / "run.json", (1e9 + age, 1e9 + age))
    return runs


async def ask(pilot: Pilot[Any], key: str, line: str) -> LineBox:
    """Press a key that opens a box, and type a line there in the place of the present one."""
    await pilot.press(key)
    await wait_until(pilot, lambda: isinstance(pilot.app.screen, LineBox))
    await pilot.press("end", "ctrl+u", *("space" if letter == " " else letter for letter in line), "enter")
    await pilot.pause()
    return pilot.app.screen  # pyright: ignore[reportReturnType]


async def test_the_order_goes_from_column_to_column_and_what_is_unknown_comes_last(engine: Engine):
    three_runs()
    async with opened() as pilot:
        assert rows(pilot) == ["c-01", "b-02", "a-03"], "the newest first"
        await pilot.press("down")
        await pilot.press("o")
        assert rows(pilot) == ["a-03", "b-02", "c-01"]
        assert "run ▲" in screen_text(pilot.app)
        assert desk(pilot).runs.selected == Run(list_runs()[1].path), "the cursor stays on its run"
        await pilot.press("O")
        assert rows(pilot) == ["c-01", "b-02", "a-03"]
        await pilot.press("o", "o", "o")
        assert "best @ step ▲" in screen_text(pilot.app)
        assert rows(pilot) == ["b-02", "c-01", "a-03"]
        await pilot.press("O")
        assert rows(pilot) == ["c-01", "b-02", "a-03"], "no loss is last from either end"


async def test_a_click_on_a_heading_sorts_and_another_one_reverses(engine: Engine):
    three_runs()
    async with opened() as pilot:
        await pilot.click("#runs-table", offset=(5, 0))
        assert rows(pilot) == ["a-03", "b-02", "c-01"]
        await pilot.click("#runs-table", offset=(5, 0))
        assert rows(pilot) == ["c-01", "b-02", "a-03"]


async def test_the_order_follows_the_figures_and_the_cursor_its_run(engine: Engine):
    runs = three_runs()
    async with opened() as pilot:
        await pilot.press("o", "o", "o", "o", "down")  # by the best loss, the cursor on c-01
        selected = desk(pilot).runs.selected
        assert rows(pilot)[0] == "b-02"
        runs[0].write_status(replace(runs[0].status(), best_validation_loss=1.0))  # pyright: ignore[reportArgumentType]
        desk(pilot).refresh_rows()
        await pilot.pause()
        assert rows(pilot) == ["a-03", "b-02", "c-01"]
        assert desk(pilot).runs.selected == selected


async def test_a_filter_acts_as_it_is_typed_and_says_in_its_line_what_is_wrong(engine: Engine):
    runs = three_runs()
    change_about(runs[1], tags=("good",))
    async with opened() as pilot:
        await pilot.press("slash", *"loss", "less_than_sign")
        await pilot.pause()
        assert "'' is no number that could be compared" in screen_text(pilot.app)
        await pilot.press(*"1.4")
        await pilot.pause()
        assert rows(pilot) == ["b-02"]
        assert "no number" not in screen_text(pilot.app)
        await pilot.press("space", *"#good", "enter")
        await pilot.pause()
        assert title(pilot) == "runs · 1 of 3 · loss<1.4 #good"
        assert desk(pilot).runs.table.has_focus
        await pilot.press("escape")
        await pilot.pause()
        assert len(rows(pilot)) == 3
        await pilot.press("slash", *"nothing")
        await pilot.pause()
        assert "No run is like that." in screen_text(pilot.app)
        await pilot.press("escape")
        await pilot.pause()
        assert len(rows(pilot)) == 3
        await pilot.press("escape")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, WriteDesk))


async def test_runs_are_marked_in_order_and_a_run_that_is_gone_is_marked_no_more(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
):
    told: list[list[str]] = []
    monkeypatch.setattr(TrainDesk, "on_runs_marked", lambda _, message: told.append(message.runs), raising=False)
    assert RunsMarked.handler_name == "on_runs_marked"
    three_runs()
    async with opened() as pilot:
        await pilot.press("space", "down", "down", "space")
        await pilot.pause()
        assert told == [["c-01"], ["c-01", "a-03"]]
        assert [line[3] for line in screen_text(pilot.app).splitlines()[3:6]] == ["■", " ", "■"]
        assert title(pilot) == "runs · 2 marked"
        trash_run(list_runs()[0])
        desk(pilot).refresh_rows()
        await pilot.pause()
        assert told[-1] == ["a-03"]
        assert [run.name for run in desk(pilot).runs.marked] == ["a-03"]
        await pilot.press("space", "u")
        await pilot.pause()
        assert told[-1] == []


async def test_a_name_tags_and_a_note_are_given_and_what_cannot_be_is_said_in_the_box(engine: Engine):
    run = three_runs()[2]
    async with opened() as pilot:
        box = await ask(pilot, "r", "b-02")
        assert box is pilot.app.screen
        assert "there is already a run called 'b-02'" in screen_text(pilot.app)
        await pilot.press("ctrl+u", *"best", "enter")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, TrainDesk))
        await pilot.pause()
        assert rows(pilot)[0] == "best"
        assert "best" in screen_text(pilot.app).splitlines()[0], "the header calls the run on screen so as well"
        await ask(pilot, "t", "#good keep")
        await ask(pilot, "m", MARKUP)
        await pilot.pause()
        assert about(run).tags == ("good", "keep")
        assert about(run).note == MARKUP
        assert f"note: {MARKUP}" in screen_text(pilot.app)
        assert "#good #keep" in screen_text(pilot.app)


async def test_marked_runs_go_to_the_trash_together_and_come_back_from_a_list(engine: Engine):
    three_runs()
    async with opened() as pilot:
        await pilot.press("x")
        await pilot.pause()
        assert "There is no run in the trash." in notices(pilot)
        await pilot.press("space", "down", "space", "down", "d")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, Question))
        assert "2 marked runs" in screen_text(pilot.app)
        await pilot.press("d")
        await wait_until(pilot, lambda: len(list_runs()) == 1)
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, TrainDesk))
        await pilot.press("x")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, TrashBox))
        await pilot.press("down", "enter")
        await wait_until(pilot, lambda: len(list_runs()) == 2)
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, TrainDesk))
        await pilot.pause()
        assert len(rows(pilot)) == 2


async def test_a_run_whose_process_died_says_so_with_the_end_of_its_log_and_what_to_do(engine: Engine):
    run = make_run("a-01", "running", steps=250)
    run.log_path.write_text("loading\n\x1b[31mRuntimeError: [b]no room\n")
    async with opened() as pilot:
        await pilot.pause()
        shown = screen_text(pilot.app)
        assert "✗ crashed" in shown
        assert "its process died at step 250" in shown
        assert "c goes on from its last checkpoint" in shown
        assert "�[31mRuntimeError: [b]no room" in shown


async def test_a_crashed_run_without_checkpoint_and_log_is_not_told_to_go_on(engine: Engine):
    make_run("a-01", "running", steps=50, checkpoint=False)
    async with opened() as pilot:
        await pilot.pause()
        words = " ".join(screen_text(pilot.app).replace("│", " ").split())
        assert "its log.txt is empty" in words
        assert "it had saved nothing; n makes a new run" in words


async def test_a_run_that_trains_says_how_far_it_is_and_how_long_it_takes_yet(engine: Engine):
    run = make_run("a-01", "running", steps=200)
    with acquire(run.lock_path) or pytest.fail("locked"):
        run.write_status(replace(run.status(), remaining=80.0))  # pyright: ignore[reportArgumentType]
        async with opened((80, 24)) as pilot:
            await pilot.pause()
            assert "● 50% 1 m 20 s left" in screen_text(pilot.app)
            set_status(run, "paused", 200)
            desk(pilot).refresh_rows()
            await pilot.pause()
            assert "‖ paused 50%" in screen_text(pilot.app)
