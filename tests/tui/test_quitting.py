"""What the app asks before it is left while something trains, and what it waits for."""

from __future__ import annotations

import asyncio

import pytest
from minigpt_tui.engine.events import COMMANDS
from minigpt_tui.engine.locks import acquire
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.screens.questions import Question
from minigpt_tui.tui.screens.write import WriteDesk

from .runs_on_disk import make_run, set_status
from .seen import has_exited
from .test_app import WIDE, Engine, shown
from .waiting import wait_until


async def test_quitting_asks_nothing_when_nothing_trains(engine: Engine):
    make_run("a-01")
    app = MinigptApp()
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("ctrl+q")
        await wait_until(pilot, lambda: has_exited(app))
    assert app.return_value == 0
    assert engine.processes[0].closed


async def test_quitting_leaves_a_training_alone_or_not_at_all(engine: Engine):
    run = make_run("a-01", "running", steps=50, checkpoint=False)
    with acquire(run.lock_path) or pytest.fail("locked"):
        app = MinigptApp()
        async with app.run_test(size=WIDE) as pilot:
            await pilot.press("ctrl+q")
            await wait_until(pilot, lambda: isinstance(app.screen, Question))
            await pilot.press("escape")
            await wait_until(pilot, lambda: isinstance(app.screen, WriteDesk))
            assert not has_exited(app)
            await pilot.press("ctrl+q")
            await wait_until(pilot, lambda: isinstance(app.screen, Question))
            await pilot.press("l")
            await wait_until(pilot, lambda: has_exited(app))
        assert app.return_value == 0
        assert not run.commands_path.exists()


async def test_quitting_with_stop_waits_until_the_run_has_stopped(engine: Engine):
    run = make_run("a-01", "running", steps=50, checkpoint=False)
    with acquire(run.lock_path) or pytest.fail("locked"):
        app = MinigptApp()
        async with app.run_test(size=WIDE) as pilot:
            await pilot.press("ctrl+q")
            await wait_until(pilot, lambda: isinstance(app.screen, Question))
            await pilot.press("s")
            await wait_until(pilot, lambda: run.commands_path.exists())
            await pilot.pause(0.2)
            assert not has_exited(app)
            assert "saving: 'a-01'" in shown(pilot)
            set_status(run, "stopped", 51)
            await wait_until(pilot, lambda: has_exited(app))
    assert COMMANDS.decode(run.commands_path.read_text()).name == "stop"


async def test_a_training_that_is_not_on_screen_is_asked_about_as_well(engine: Engine):
    shown_run = make_run("a-01")
    runs = [make_run(name, "running", steps=50, checkpoint=False) for name in ("a-02", "a-03")]
    with acquire(runs[0].lock_path) or pytest.fail("locked"), acquire(runs[1].lock_path) or pytest.fail("locked"):
        app = MinigptApp()
        async with app.run_test(size=WIDE) as pilot:
            app.bridge.attach(shown_run)
            await pilot.press("ctrl+q")
            await wait_until(pilot, lambda: isinstance(app.screen, Question))
            await pilot.pause()
            assert "'a-03' and 1 more" in shown(pilot)
            await pilot.press("s")
            await wait_until(pilot, lambda: all(run.commands_path.exists() for run in runs))
            for run in runs:
                set_status(run, "stopped", 51)
            await wait_until(pilot, lambda: has_exited(app))
    assert not shown_run.commands_path.exists()


async def test_ctrl_c_never_quits(engine: Engine):
    async with MinigptApp().run_test(size=WIDE) as pilot:
        await pilot.press("ctrl+c", "ctrl+c")
        await asyncio.sleep(0.05)
        assert not has_exited(pilot.app)
