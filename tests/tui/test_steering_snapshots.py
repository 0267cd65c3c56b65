"""Pictures of the boxes above the train desk. After a wanted change: pytest --snapshot-update, and look at them."""

from __future__ import annotations

import pytest
from minigpt_tui.engine.events import COMMANDS, Acknowledged, Sample
from minigpt_tui.engine.locks import acquire
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.screens.samples import SamplesBox
from minigpt_tui.tui.screens.steering_box import SteeringBox
from minigpt_tui.tui.screens.train import TrainDesk
from minigpt_tui.tui.widgets import run_columns
from textual.pilot import Pilot

from .runs_on_disk import CREATED, append, make_run
from .scripted_engine import ScriptedEngine
from .seen import notices, screen_text
from .waiting import wait_until

SIZES = pytest.mark.parametrize(
    "size", [pytest.param((80, 24), id="80x24"), pytest.param((120, 40), id="120x40", marks=pytest.mark.long)]
)


@SIZES
def test_steering(engine: type[ScriptedEngine], snap_compare, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]):
    async def steer(pilot: Pilot) -> None:
        await pilot.press("ctrl+r")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, TrainDesk))
        await pilot.press("l")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, SteeringBox))
        await pilot.press("up", "up", "up", "0", "enter", "up", "0", ".", "5", "enter")
        await wait_until(pilot, run.commands_path.exists)
        for command in map(COMMANDS.decode, run.commands_path.read_bytes().splitlines()):
            append(run, Acknowledged(250, command.id, command.name, "the learning rate is now 0.5 times the schedule's",
                                     True, CREATED))  # fmt: skip
        await wait_until(pilot, lambda: "is now 0.5" in screen_text(pilot.app))
        await wait_until(pilot, lambda: any("is now 0.5" in said for said in notices(pilot)))
        pilot.app.clear_notifications()
        await pilot.pause(0.3)

    monkeypatch.setattr(run_columns, "time", lambda: CREATED + 4000, raising=False)
    run = make_run("play-01", "running", steps=250)
    with acquire(run.lock_path) or pytest.fail("locked"):
        assert snap_compare(MinigptApp(), terminal_size=size, run_before=steer)


@SIZES
def test_samples(engine: type[ScriptedEngine], snap_compare, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]):
    async def compare(pilot: Pilot) -> None:
        await pilot.press("ctrl+r")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, TrainDesk))
        await pilot.press("f2")
        await wait_until(pilot, lambda: "samples · step 200" in screen_text(pilot.app))
        await pilot.press("enter")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, SamplesBox))
        await pilot.press("right")
        await pilot.pause(0.2)

    monkeypatch.setattr(run_columns, "time", lambda: CREATED + 4000, raising=False)
    run = make_run("play-01")
    texts = (
        "eJ xq\nwz&o toe thh",
        " the wort of the sor\nAnd the the",
        " the king,\nAnd let the world",
        " What light is this?",
    )
    for step, text in zip((50, 100, 150, 200), texts, strict=True):
        append(run, Sample(step, "ROMEO:", text, 0, 1337), Sample(step, "[b]\x1b[31m", text.upper(), 1, 7))
    assert snap_compare(MinigptApp(), terminal_size=size, run_before=compare)
