"""Pictures of a comparison. After a wanted change: pytest --snapshot-update, and look at them."""

from __future__ import annotations

import pytest
from minigpt_tui.engine.requests import SamplingSettings
from minigpt_tui.tui import generator
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.screens.compare import CompareScreen
from minigpt_tui.tui.settings import Settings, save_settings
from minigpt_tui.tui.themes import DARK, LIGHT
from textual.pilot import Pilot

from ..runs_on_disk import make_run
from ..scripted_engine import ScriptedEngine
from ..seen import screen_text
from ..waiting import wait_until
from .columns import ColumnEngine, keep_checkpoint

VERSES = (
    "\nWhat light through [yonder] window breaks?\nIt is the east, and step {step} is the sun. 你好, 世界!\n\n"
    "JULIET:\nO Romeo, wherefore art thou {seed}?\n"
)


@pytest.fixture
def columns(engine: type[ScriptedEngine], monkeypatch: pytest.MonkeyPatch) -> type[ColumnEngine]:
    """A run with a checkpoint to look back to."""

    class Columns(ColumnEngine):
        processes = []
        missing = set()
        words = VERSES

    monkeypatch.setattr(generator, "GenerateProcess", Columns)
    run = make_run("play-01")
    keep_checkpoint(run, 100)
    return Columns


async def compared(pilot: Pilot) -> None:
    """A comparison of two columns."""
    app = pilot.app
    assert isinstance(app, MinigptApp)
    await wait_until(pilot, lambda: app.bridge.generator.ready)
    await pilot.press(*"ROMEO:", "alt+c")
    await wait_until(pilot, lambda: isinstance(app.screen, CompareScreen))
    await wait_until(pilot, lambda: "loss 0.69" in screen_text(app))


@pytest.mark.parametrize(
    ("size", "theme"),
    [
        pytest.param((60, 20), DARK.name, id="60x20-dark"),
        pytest.param((80, 24), DARK.name, id="80x24-dark"),
        pytest.param((80, 24), LIGHT.name, id="80x24-light", marks=pytest.mark.long),
        pytest.param((120, 40), DARK.name, id="120x40-dark", marks=pytest.mark.long),
    ],
)
def test_compare(columns: type[ColumnEngine], snap_compare, size: tuple[int, int], theme: str):
    async def show(pilot: Pilot) -> None:
        await compared(pilot)
        await pilot.press("a")
        await wait_until(pilot, lambda: "another column" in screen_text(pilot.app))
        await pilot.press(*"11", "enter")
        await wait_until(pilot, lambda: "thou 11" in " ".join(screen_text(pilot.app).split()))
        await pilot.press("d")
        await pilot.pause(0.4)

    save_settings(Settings(theme=theme, sampling=SamplingSettings(seed=7)))
    assert snap_compare(MinigptApp(), terminal_size=size, run_before=show)


@pytest.mark.long
def test_a_column_that_fails_and_what_else_there_is(columns: type[ColumnEngine], snap_compare):
    async def show(pilot: Pilot) -> None:
        await compared(pilot)
        await pilot.press("c")
        await wait_until(pilot, lambda: "write column 1 with" in screen_text(pilot.app))
        await pilot.pause(0.4)

    columns.missing = {"step-000100"}
    save_settings(Settings(sampling=SamplingSettings(seed=7)))
    assert snap_compare(MinigptApp(), terminal_size=(80, 24), run_before=show)
