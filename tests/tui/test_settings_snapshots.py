"""Pictures of the settings. After a wanted change: pytest --snapshot-update, and look at them."""

from __future__ import annotations

import pytest
from minigpt_tui.engine.requests import SamplingSettings
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.screens.settings import SettingsScreen
from minigpt_tui.tui.settings import Settings, save_settings
from textual.pilot import Pilot
from textual.widgets import Tabs

from .scripted_engine import ScriptedEngine
from .waiting import wait_until


@pytest.mark.parametrize(
    ("size", "part"),
    [((60, 20), "turns"), ((80, 24), "document"), ((120, 40), "sets")],
    ids=["60x20", "80x24", "120x40"],
)
def test_settings(engine: type[ScriptedEngine], snap_compare, size: tuple[int, int], part: str):
    async def open_part(pilot: Pilot) -> None:
        pilot.app.animation_level = "none"  # the line below the names would move
        await pilot.press("alt+s")
        await wait_until(pilot, lambda: bool(pilot.app.screen.query(Tabs)))
        assert isinstance(pilot.app.screen, SettingsScreen)
        pilot.app.screen.query_one(Tabs).active = part
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        await pilot.press("tab", "down")
        await pilot.pause()

    save_settings(Settings(sampling_sets={"calm": SamplingSettings(temperature=0.3)}))
    assert snap_compare(MinigptApp(), terminal_size=size, run_before=open_part)
