"""The samples of the run on screen, on the train desk."""

from __future__ import annotations

import pytest
from minigpt_tui.engine.events import Sample
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.screens.samples import SamplesBox
from minigpt_tui.tui.screens.train import TrainDesk

from ..runs_on_disk import append, make_run
from ..scripted_engine import ScriptedEngine
from ..seen import screen_text
from ..waiting import wait_until


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["small", "wide"])
async def test_the_samples_of_the_run_on_screen_are_one_key_away(engine: type[ScriptedEngine], size: tuple[int, int]):
    run = make_run("a-01")
    append(run, Sample(100, "ROMEO:", " Zounds"), Sample(200, "ROMEO:", " What light"))
    app = MinigptApp()
    async with app.run_test(size=size) as pilot:
        await pilot.press("ctrl+r")
        await wait_until(pilot, lambda: isinstance(app.screen, TrainDesk))
        await pilot.press("f2")
        await wait_until(pilot, lambda: "ROMEO: What light" in screen_text(app))
        await pilot.press("left")
        await pilot.pause()
        assert "ROMEO: Zounds" in screen_text(app)
        append(run, Sample(300, "ROMEO:", " Soft"))
        await pilot.press("end")
        await wait_until(pilot, lambda: "ROMEO: Soft" in screen_text(app))
        await pilot.press("enter")
        await wait_until(pilot, lambda: isinstance(app.screen, SamplesBox))
        assert "ROMEO: Zounds" in screen_text(app)
        assert "ROMEO: Soft" in screen_text(app)
        await pilot.press("escape", "f2")
        await pilot.pause()
        assert isinstance(app.focused, type(app.screen.query_one("#runs-table")))
