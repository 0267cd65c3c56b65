"""The box with the commands to a run. The test is the run: it reads its commands and answers them."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from minigpt_tui.engine.events import COMMANDS, Acknowledged, Command
from minigpt_tui.engine.locks import acquire
from minigpt_tui.engine.runs import Run
from minigpt_tui.tui import steering
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.screens.steering_box import SteeringBox
from minigpt_tui.tui.screens.train import TrainDesk
from textual.pilot import Pilot
from textual.widgets import Input

from ..runs_on_disk import append, make_run
from ..scripted_engine import ScriptedEngine
from ..seen import notices, screen_text
from ..waiting import wait_until


@asynccontextmanager
async def opened(run: Run, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Pilot[Any]]:
    with acquire(run.lock_path) or pytest.fail("locked"):
        async with MinigptApp().run_test(size=size) as pilot:
            await pilot.press("ctrl+r")
            await wait_until(pilot, lambda: isinstance(pilot.app.screen, TrainDesk))
            await pilot.press("l")
            await wait_until(pilot, lambda: isinstance(pilot.app.screen, SteeringBox))
            yield pilot


def commands(run: Run) -> list[Command]:
    lines = run.commands_path.read_bytes().splitlines() if run.commands_path.exists() else []
    return [COMMANDS.decode(line) for line in lines]


def answer(run: Run, text: str, accepted: bool = True) -> None:
    command = commands(run)[-1]
    append(run, Acknowledged(210, command.id, command.name, text, accepted, 1.0))


async def typed(pilot: Pilot[Any], field: str, value: str) -> None:
    input = pilot.app.screen.query_one(f"#set-{field}", Input)
    input.focus()
    input.value = value
    await pilot.press("enter")
    await pilot.pause()


@pytest.fixture
def run(engine: type[ScriptedEngine]) -> Run:
    return make_run("a-01", "running")


async def test_present_values_are_changed_and_the_answer_is_shown(run: Run):
    async with opened(run) as pilot:
        fields = {input.id: input.value for input in pilot.app.screen.query(Input)}
        assert fields == {
            "set-learning_rate_scale": "1", "set-budget": str(run.manifest().training.budget),
            "set-evaluation_interval": "250", "set-sample_prompts": "",
        }  # fmt: skip
        await typed(pilot, "learning_rate_scale", "0.5")
        (command,) = commands(run)
        assert (command.name, command.value) == ("learning_rate_scale", 0.5)
        assert "learning rate scale: sent, waiting for the run" in screen_text(pilot.app)
        status = run.status()
        assert status is not None
        run.write_status(dataclasses.replace(status, learning_rate_scale=0.25))  # somebody else was quicker
        answer(run, "the learning rate is now 0.25 times the schedule's")
        await wait_until(pilot, lambda: "step 210: the learning rate is now 0.25" in screen_text(pilot.app))
        assert "waiting" not in screen_text(pilot.app)
        await pilot.press("down")
        await typed(pilot, "sample_prompts", r"ROMEO:|a\nb")
        assert commands(run)[-1].texts == ("ROMEO:", "a\nb")
        answer(run, "[b]no[/b]", accepted=False)
        await wait_until(pilot, lambda: "step 210: refused: [b]no[/b]" in screen_text(pilot.app))


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("learning_rate_scale", "0", "above 0 and at most"),
        ("learning_rate_scale", "", "is not a number"),
        ("budget", "soon", "is not understood"),
        ("evaluation_interval", "1.5", "a whole number up to"),
        ("sample_prompts", "|".join("x" * 17), "give 1 to 16"),
    ],
)
async def test_what_cannot_be_is_said_with_the_range_and_not_sent(run: Run, field: str, value: str, problem: str):
    async with opened(run) as pilot:
        await typed(pilot, field, value)
        assert problem in " ".join(screen_text(pilot.app).replace("│", " ").split())
        assert commands(run) == []


async def test_orders_have_a_key_and_a_button(run: Run):
    async with opened(run, (60, 24)) as pilot:
        await pilot.press("v", "enter", "e")
        await pilot.click("#command-stop_now")
        await pilot.pause()
        assert [command.name for command in commands(run)] == ["save", "pause", "evaluate", "stop_now"]
        assert len({command.id for command in commands(run)}) == 4
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, TrainDesk)


async def test_a_run_that_does_not_answer_says_why(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(steering, "_PATIENCE", 0.0)
    async with opened(run) as pilot:
        await pilot.press("v")
        await wait_until(pilot, lambda: "it may evaluate or save now" in screen_text(pilot.app))
        with monkeypatch.context() as patch:
            patch.setattr(Run, "other_host", lambda run: "gpu-box")
            await wait_until(pilot, lambda: "trains on gpu-box, and a copy of its" in screen_text(pilot.app))
        run.lock_path.unlink()  # its process is gone
        await wait_until(pilot, lambda: "did not answer: its process has ended" in screen_text(pilot.app))
        await pilot.press("v")
        await pilot.pause()
        assert "is not training: it is crashed" in screen_text(pilot.app)


async def test_a_run_that_has_ended_takes_no_commands(engine: type[ScriptedEngine]):
    make_run("a-01")
    async with MinigptApp().run_test(size=(80, 24)) as pilot:
        await pilot.press("ctrl+r")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, TrainDesk))
        await pilot.press("l")
        await wait_until(pilot, lambda: "'a-01' takes no commands: it is finished" in notices(pilot))
