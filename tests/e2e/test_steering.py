"""A run is steered from the desk, left alone when its terminal is killed, found again, and laid over a second one."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from minigpt_tui.engine.runs import Run

from .conftest import COMMAND
from .terminal import Terminal
from .test_main_job import events, wait_until


@pytest.mark.long
def test_a_run_is_steered_left_alone_and_found_again(home: Path) -> None:
    environment = {"MINIGPT_HOME": str(home)}
    for name, budget in (("short", "40 steps"), ("long", "30 minutes")):
        words = ["train", "scenes.txt", "--preset", "quick", "--budget", budget, "--name", name]
        words += ["--detach"] * (name == "long")
        started = subprocess.run([COMMAND, *words], cwd=home, env=os.environ | environment, capture_output=True)
        assert started.returncode == 0, started.stderr
    run = Run(home / "data" / "runs" / "long")
    with Terminal(str(COMMAND), environment) as terminal:
        terminal.wait_for("long ·")
        terminal.keys("C-r")
        terminal.wait_for("● ")
        wait_until(lambda: run.checkpoint() is not None)
        terminal.keys("l")
        terminal.wait_for("steer long")
        terminal.keys("Up", "Up", "Up", "Up")  # to the first field, whose value is selected
        terminal.type("0.2")
        terminal.keys("Enter")
        terminal.wait_for("now 0.2 times the schedule's")
        rates = [event["learning_rate"] for event in events(run, "step")]
        wait_until(
            lambda: events(run, "step")[-1]["learning_rate"] == pytest.approx(0.2 * float(str(rates[0])), rel=0.2)
        )
        terminal.keys("Down", "Down", "Down", "Down", "p")
        terminal.wait_for("the training is paused; saved at step")
        terminal.wait_for("‖ paused")
        terminal.hang_up()

    assert run.state() == "paused"
    answer = subprocess.run([COMMAND, "runs", "sample", "long"], env=os.environ | environment, capture_output=True)
    assert (answer.returncode, b"written its samples" in answer.stdout) == (0, True)

    with Terminal(str(COMMAND), environment) as terminal:
        terminal.wait_for("paused")
        terminal.keys("C-r")
        terminal.wait_for("samples · step")
        terminal.keys("l")
        terminal.wait_for(lambda screen: re.search(r"learning-rate scale +0\.2 ", screen) is not None)
        terminal.keys("r")
        terminal.wait_for("the training goes on")
        terminal.keys("Escape")
        terminal.wait_for(lambda screen: "steer long" not in screen)
        terminal.keys("Space", "Down", "Space")
        terminal.wait_for(lambda screen: "short" in screen.split("╭─ loss")[1] and "long" in screen.split("╭─ loss")[1])
        terminal.keys("Up", "l")
        terminal.wait_for("steer long")
        terminal.keys("x")
        terminal.wait_for("what is on disk stays as it is")
        wait_until(lambda: run.state() == "stopped")
    names = [event["name"] for event in events(run, "acknowledged")]
    assert names == ["learning_rate_scale", "pause", "sample", "resume", "stop_now"]
