"""The main job in a real terminal: start, train, watch it learn, talk to it, leave it, find it again."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from minigpt_tui.engine.runs import Run

from .conftest import COMMAND
from .terminal import Terminal


def train_loss(screen: str) -> float | None:
    """The training loss as the chart's legend shows it."""
    match = re.search(r"train (\d+\.\d+)", screen)
    return float(match[1]) if match else None


def events(run: Run, kind: str) -> list[dict[str, object]]:
    with run.metrics_path.open() as file:
        return [event for line in file if (event := json.loads(line))["event"] == kind]


def wait_until(holds: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "not within the time"
        time.sleep(0.05)


def test_the_main_job(home: Path) -> None:
    environment = {"MINIGPT_HOME": str(home)}
    runs = home / "data" / "runs"

    with Terminal(f"{COMMAND} {home / 'scenes.txt'}", environment) as terminal:
        terminal.wait_for("Enter trains a model on scenes.txt")
        terminal.keys("Enter")
        terminal.wait_for("training  step")
        (run,) = (Run(folder) for folder in runs.iterdir())
        first = train_loss(terminal.wait_for(lambda screen: train_loss(screen) is not None))
        assert first is not None
        # the model speaks by itself as soon as it can
        terminal.wait_for("tokens ·")
        assert run.checkpoint() is not None
        terminal.wait_for(lambda screen: (train_loss(screen) or first) < 0.8 * first)

        terminal.type("The ")
        terminal.keys("Enter")
        screen = terminal.wait_for(lambda screen: "you   The " in screen and screen.count("tokens ·") == 2)
        assert re.search(r"gpt\s+\S", screen.split("you   The ")[1]), "the reply has text"

        terminal.resize(80, 24)
        terminal.wait_for(lambda screen: len(screen.splitlines()) <= 24 and "f2 panels" in screen)
        terminal.resize(50, 15)
        terminal.wait_for("60")
        terminal.resize(120, 40)
        terminal.wait_for("training")


def start_a_long_run(terminal: Terminal) -> None:
    """Through the form, with a budget that outlives the test."""
    terminal.wait_for("Enter trains")
    terminal.keys("C-t")
    terminal.wait_for("characters")
    terminal.keys("Tab", "Tab", "Tab", "Tab", "Tab")  # text, preset, start from, tokenizer, unknown characters, budget
    terminal.type("10 minutes")
    terminal.wait_for("10 minutes")
    terminal.keys("F5")
    terminal.wait_for("training  step")


@pytest.mark.long
def test_a_run_that_is_left_alone_is_found_again_and_stopped(home: Path) -> None:
    environment = {"MINIGPT_HOME": str(home)}
    with Terminal(str(COMMAND), environment) as terminal:
        start_a_long_run(terminal)
        terminal.wait_for("tokens ·")
        terminal.keys("C-q")
        terminal.wait_for("leave it running")
        terminal.keys("Escape")
        terminal.wait_for(lambda screen: "leave it running" not in screen)
        terminal.keys("C-q")
        terminal.wait_for("leave it running")
        terminal.keys("l")
        assert terminal.wait_for_exit() == 0
    (run,) = (Run(folder) for folder in (home / "data" / "runs").iterdir())
    assert run.is_alive()

    with Terminal(str(COMMAND), environment) as terminal:
        terminal.wait_for("training  step")
        assert train_loss(terminal.wait_for(lambda screen: train_loss(screen) is not None))
        terminal.wait_for("write how a text begins")
        terminal.type("THE ")
        terminal.keys("Enter")
        terminal.wait_for("tokens ·")
        terminal.keys("F5")
        terminal.wait_for("paused")
        terminal.keys("F5")
        terminal.wait_for("training  step")
        terminal.keys("C-q")
        terminal.wait_for("stop and save")
        terminal.keys("s")
        assert terminal.wait_for_exit() == 0
    assert run.state() == "stopped"
    assert not run.is_alive()
    saved = events(run, "checkpoint")[-1]["step"]
    status = run.status()
    assert status is not None
    assert saved == status.step


@pytest.mark.long
def test_a_terminal_that_disappears_ends_the_app_and_leaves_the_training_alone(home: Path) -> None:
    with Terminal(str(COMMAND), {"MINIGPT_HOME": str(home)}) as terminal:
        start_a_long_run(terminal)
        (run,) = (Run(folder) for folder in (home / "data" / "runs").iterdir())
        wait_until(lambda: events(run, "step"))
        app = Path(f"/proc/{terminal.process()}")
        terminal.hang_up()
    if app.parent.is_dir():
        wait_until(lambda: not app.exists())
    before = len(events(run, "step"))
    wait_until(lambda: len(events(run, "step")) > before + 3)
    assert run.is_alive()


def test_bad_paths_get_a_sentence_and_the_offer_stays(home: Path) -> None:
    (home / "empty.txt").touch()
    (home / "binary.bin").write_bytes(bytes(range(256)) * 20)
    with Terminal(str(COMMAND), {"MINIGPT_HOME": str(home)}) as terminal:
        for path, word in (
            (home / "empty.txt", "empty"),
            (home / "binary.bin", "binary"),
            (home / "none.txt", "neither"),  # a path may be broken anywhere
        ):
            terminal.wait_for("Enter trains")
            terminal.type(str(path))
            terminal.keys("Enter")
            terminal.wait_for("No training was started")
            assert word in terminal.wait_for(word)
            assert "Traceback" not in terminal.screen()
        assert not list_runs_in(home)


def list_runs_in(home: Path) -> list[Path]:
    folder = home / "data" / "runs"
    return list(folder.iterdir()) if folder.exists() else []
