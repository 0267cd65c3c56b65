"""Pictures of the table of runs: filtered with a run that died, sorted with marks, tags and a run from elsewhere."""

from __future__ import annotations

import os
import socket
from dataclasses import replace

import pytest
from minigpt_tui.engine.run_about import change_about
from minigpt_tui.engine.runs import Run
from minigpt_tui.tui import run_detail, run_words
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.screens.train import TrainDesk
from minigpt_tui.tui.screens.trash_box import TrashBox
from minigpt_tui.tui.widgets import run_columns
from textual.pilot import Pilot

from .runs_on_disk import CREATED, make_run
from .scripted_engine import ScriptedEngine
from .waiting import wait_until

KEYS = {
    "filter": ("slash", *"preset=nanogpt", "minus", *"char", "minus", *"cpu", "space", *"crash"),
    "marks": ("space", "down", "down", "space", "down", "o", "o", "o", "o"),
    "rename": ("r",),
    "wrong": ("slash", *"lossy", "less_than_sign", "2"),
}
PICTURES = [
    pytest.param(size, what, id=f"{what}-{size[0]}x{size[1]}", marks=marks)
    for size, what, marks in (
        ((80, 24), "filter", ()),
        ((120, 40), "marks", ()),
        ((120, 40), "filter", pytest.mark.long),
        ((80, 24), "marks", pytest.mark.long),
        ((80, 24), "rename", pytest.mark.long),
        ((80, 24), "wrong", pytest.mark.long),
    )
]


@pytest.fixture(autouse=True)
def some_runs(engine: type[ScriptedEngine], monkeypatch: pytest.MonkeyPatch) -> None:
    """One of each state, with a name, tags and a note; one died and one is trained on another host."""
    for module in (run_columns, run_detail, run_words):
        monkeypatch.setattr(module, "time", lambda: CREATED + 4000)
    names = ("lr-sweep-01", "lr-sweep-02", "crash-01", "far-01", "novel-01")
    states = ("finished", "stopped", "running", "running", "failed")
    for number, (name, state) in enumerate(zip(names, states, strict=True)):
        run = make_run(name, state, steps=100 + 60 * number)
        status = run.status()
        assert status is not None
        host = "gpu-box" if name == "far-01" else socket.gethostname()
        run.write_status(replace(status, host=host, best_validation_loss=1.9 - number / 10, seconds=90.0 * number))
        os.utime(run.path / "run.json", (CREATED + number, CREATED + number))
        _describe(run)


def _describe(run: Run) -> None:
    if run.name.startswith("lr"):
        change_about(run, tags=("lr", "keep"), note="with the [bold] rate of the paper")
    if run.name == "crash-01":
        run.log_path.write_text("step 220\nTraceback (most recent call last):\nRuntimeError: \x1b[31mno room left\n")


@pytest.mark.parametrize(("size", "what"), PICTURES)
def test_runs(snap_compare, size: tuple[int, int], what: str):
    async def press(pilot: Pilot) -> None:
        await pilot.press("ctrl+r")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, TrainDesk))
        await pilot.press(*KEYS[what])
        await pilot.pause(0.3)

    assert snap_compare(MinigptApp(), terminal_size=size, run_before=press)


@pytest.mark.long
def test_trash(snap_compare, monkeypatch: pytest.MonkeyPatch):
    async def press(pilot: Pilot) -> None:
        await pilot.press("ctrl+r")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, TrainDesk))
        await pilot.press("d")
        await pilot.pause(0.2)
        await pilot.press("d")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, TrainDesk))
        pilot.app.clear_notifications()
        await pilot.press("x")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, TrashBox))
        await pilot.pause(0.3)

    monkeypatch.setattr("minigpt_tui.tui.screens.trash_box.formatting.duration", lambda _: "2 s")
    assert snap_compare(MinigptApp(), terminal_size=(80, 24), run_before=press)
