"""What every end-to-end test needs: the installed command, a terminal, and a home of its own."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from minigpt_tui.data.tales.generator import generate
from minigpt_tui.engine.events import Command
from minigpt_tui.engine.runs import Run

COMMAND = Path(sys.executable).with_name("minigpt-tui")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, and say why, where a terminal or the installed command is missing."""
    missing = next(
        (reason for ok, reason in (
            (shutil.which("tmux"), "tmux is not installed"),
            (COMMAND.exists(), f"{COMMAND} is not installed"),
        ) if not ok),
        None,
    )  # fmt: skip
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            if missing:
                item.add_marker(pytest.mark.skip(reason=missing))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A MINIGPT_HOME with a small real text in it; no training outlives the test."""
    (tmp_path / "scenes.txt").write_text(generate(120_000, seed=5).text)
    yield tmp_path
    for folder in (tmp_path / "data" / "runs").glob("*"):
        run = Run(folder)
        if run.is_alive():
            run.send(Command("stop"))
    deadline = time.monotonic() + 30
    while any(Run(folder).is_alive() for folder in (tmp_path / "data" / "runs").glob("*")):
        if time.monotonic() > deadline:
            for folder in (tmp_path / "data" / "runs").glob("*"):
                if (run := Run(folder)).is_alive() and (status := run.status()):
                    os.kill(status.pid, signal.SIGKILL)
            break
        time.sleep(0.1)
