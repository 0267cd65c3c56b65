from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from minigpt_tui.engine.events import COMMANDS, StateChanged
from minigpt_tui.engine.locks import acquire
from minigpt_tui.engine.runs import Run, list_runs
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.screens.new_run import NewRunScreen
from minigpt_tui.tui.screens.questions import Question
from minigpt_tui.tui.screens.train import TrainDesk
from minigpt_tui.tui.screens.write import WriteDesk
from minigpt_tui.tui.widgets.run_chart import RunChart
from textual.pilot import Pilot
from textual.widgets import DataTable

from ..runs_on_disk import append, make_run, set_status
from ..scripted_engine import ScriptedEngine
from ..seen import notices, screen_text
from ..waiting import wait_until

Engine = type[ScriptedEngine]


@asynccontextmanager
async def opened():
    async with MinigptApp().run_test(size=(120, 40)) as pilot:
        await pilot.press("ctrl+r")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, TrainDesk))
        await pilot.pause()
        yield pilot


def desk(pilot: Pilot[Any]) -> TrainDesk:
    assert isinstance(pilot.app.screen, TrainDesk)
    return pilot.app.screen


def table(pilot: Pilot[Any]) -> DataTable[Any]:
    return desk(pilot).runs.table


def cells(pilot: Pilot[Any], name: str) -> list[str]:
    return [cell.plain for cell in table(pilot).get_row(name)[1:]]  # without the sign of a mark


async def choose(pilot: Pilot[Any], name: str) -> None:
    runs = table(pilot)
    runs.move_cursor(row=runs.get_row_index(name))
    await pilot.pause()


async def test_every_run_is_a_row_with_its_figures(engine: Engine):
    make_run("a-01", "stopped")
    make_run("a-02", "failed", steps=50, checkpoint=False)
    async with opened() as pilot:
        assert table(pilot).row_count == 2
        row = cells(pilot, "a-01")
        assert row[:6] == ["a-01", "■ stopped", "200 / 400", "1.90 @ 150", "2.74", "0.80M"]
        assert cells(pilot, "a-02")[1] == "✗ failed"


async def test_rows_follow_their_runs_and_the_cursor_stays(engine: Engine):
    make_run("a-01")
    run = make_run("a-02", "running", steps=50)
    with acquire(run.lock_path) or pytest.fail("locked"):
        async with opened() as pilot:
            await choose(pilot, "a-01")
            set_status(run, "running", 60)
            desk(pilot).refresh_rows()
            assert cells(pilot, "a-02")[1:3] == ["● 15%", "60 / 400"]
            make_run("a-03")
            desk(pilot).refresh_rows()
            await pilot.pause()
            assert table(pilot).row_count == 3
            assert table(pilot).get_row_at(table(pilot).cursor_row)[1].plain == "a-01"


async def test_an_unreadable_run_is_a_row_and_a_refusal(engine: Engine):
    make_run("a-01")
    broken = make_run("a-02")
    (broken.path / "run.json").write_text("{")
    async with opened() as pilot:
        assert "unreadable run.json" in cells(pilot, "a-02")
        await choose(pilot, "a-02")
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(pilot.app.screen, TrainDesk)
        assert "'a-02' cannot be read" in notices(pilot)[0]


async def test_enter_opens_a_run_and_its_model(engine: Engine):
    make_run("a-01")
    make_run("a-02")
    async with opened() as pilot:
        await choose(pilot, "a-01")
        await pilot.press("enter")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, WriteDesk))
        app = pilot.app
        assert isinstance(app, MinigptApp)
        assert app.bridge.run is not None
        assert app.bridge.run.name == "a-01"
        await wait_until(pilot, lambda: app.bridge.generator.ready)
        await wait_until(pilot, lambda: "a-01" in screen_text(app).splitlines()[0])


async def test_pause_resume_and_stop_are_commands(engine: Engine):
    run = make_run("a-01", "running", steps=50)
    with acquire(run.lock_path) or pytest.fail("locked"):
        async with opened() as pilot:
            await pilot.press("p")
            append(run, StateChanged("paused", 50, 0.0))
            set_status(run, "paused", 50)
            await pilot.press("p", "s")
            await pilot.pause()
    names = [COMMANDS.decode(line).name for line in run.commands_path.read_text().splitlines()]
    assert names == ["pause", "resume", "stop"]


@pytest.mark.long
async def test_what_a_run_cannot_do_is_one_sentence(engine: Engine):
    make_run("a-01", checkpoint=False)
    async with opened() as pilot:
        await pilot.press("p")
        await pilot.press("c")
        await pilot.pause()
        assert notices(pilot) == [
            "'a-01' is not training: it is finished",
            "'a-01' has no checkpoint to continue from; start a new run instead",
        ]


async def test_continuing_starts_its_training_again(engine: Engine, monkeypatch: pytest.MonkeyPatch):
    started: list[tuple[Run, dict[str, object]]] = []
    monkeypatch.setattr(
        "minigpt_tui.engine.launch.start_training", lambda run, **options: started.append((run, options))
    )
    run = make_run("a-01", "stopped")
    async with opened() as pilot:
        await pilot.press("c")
        await wait_until(pilot, lambda: bool(started))
    assert started == [(run, {"resume": True, "leave_core": True, "budget": "", "ready": None})]


async def test_deleting_asks_and_moves_to_the_trash(engine: Engine, home: Path):
    make_run("a-01")
    async with opened() as pilot:
        await pilot.press("d")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, Question))
        await pilot.press("escape")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, TrainDesk))
        assert len(list_runs()) == 1
        await pilot.press("d")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, Question))
        await pilot.press("d")
        await wait_until(pilot, lambda: not list_runs())
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, TrainDesk))
        await pilot.pause()
        assert "There is no run yet" in screen_text(pilot.app)
        await pilot.press("escape")
        await wait_until(pilot, lambda: "Enter trains a model on tales" in screen_text(pilot.app))
    trashed = list((home / "data" / "trash").iterdir())
    assert [(folder / "run.json").exists() for folder in trashed] == [True]


@pytest.mark.long
async def test_a_run_that_trains_is_not_deleted(engine: Engine):
    run = make_run("a-01", "running", steps=50)
    with acquire(run.lock_path) or pytest.fail("locked"):
        async with opened() as pilot:
            await pilot.press("d")
            await wait_until(pilot, lambda: isinstance(pilot.app.screen, Question))
            await pilot.press("d")
            await wait_until(pilot, lambda: bool(notices(pilot)))
            assert notices(pilot) == ["'a-01' is training; stop it before you delete it"]
            assert run.path.exists()


@pytest.mark.long
async def test_n_opens_the_form_above_the_list(engine: Engine):
    async with opened() as pilot:
        await pilot.press("n")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, NewRunScreen))
        await pilot.press("escape")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, TrainDesk))


async def test_v_shows_a_run_below_the_list_which_stays(engine: Engine):
    make_run("a-01", steps=100)
    make_run("a-02", steps=200)
    async with opened() as pilot:
        assert pilot.app.screen.query_one(RunChart).border_subtitle == "a-02"
        await choose(pilot, "a-01")
        await pilot.press("v")
        await wait_until(pilot, lambda: pilot.app.screen.query_one(RunChart).border_subtitle == "a-01")
        assert isinstance(pilot.app.screen, TrainDesk)
