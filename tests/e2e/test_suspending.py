"""Ctrl-Z gives the terminal back to the shell, and fg the whole screen to the app."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .conftest import COMMAND
from .terminal import Terminal

WAYS = {"alone": str(COMMAND), "below a script": f"sh -c '{COMMAND}; true'", "below make": "make --silent run"}


def rows(screen: str) -> list[str]:
    return [row.rstrip() for row in screen.splitlines()]


@pytest.mark.skipif(not shutil.which("bash"), reason="no shell with job control that is known here")
@pytest.mark.parametrize("way", ["alone", *(pytest.param(way, marks=pytest.mark.long) for way in list(WAYS)[1:])])
def test_the_screen_is_whole_again_after_fg(home: Path, way: str) -> None:
    if way == "below make" and not shutil.which("make"):
        pytest.skip("make is not installed")
    (home / "Makefile").write_text(f"run:\n\t@{COMMAND}; true\n")
    with Terminal(f"cd {home}; bash --norc -i", {"MINIGPT_HOME": str(home)}) as terminal:
        terminal.wait_for(lambda screen: bool(screen.strip()))
        terminal.type(f"clear; {WAYS[way]}")
        terminal.keys("Enter")
        terminal.wait_for("Enter trains")
        terminal.type("hello")
        before = rows(terminal.wait_for(lambda screen: "hello" in screen and "f1 help" in screen))
        terminal.keys("C-z")
        terminal.wait_for("Stopped")
        assert terminal.cursor_is_shown()
        terminal.type("fg")
        terminal.keys("Enter")
        terminal.wait_for(lambda screen: rows(screen) == before, 20)
        terminal.type(" again")
        terminal.wait_for("hello again")
        terminal.keys("C-q")
        terminal.wait_for(lambda screen: "hello" not in screen)
        assert terminal.cursor_is_shown()


def test_where_no_shell_could_wake_it_the_app_stays_awake(home: Path) -> None:
    with Terminal(str(COMMAND), {"MINIGPT_HOME": str(home)}) as terminal:
        terminal.wait_for("Enter trains")
        terminal.type("hello")
        terminal.wait_for("hello")
        terminal.keys("C-z")
        terminal.wait_for(lambda screen: "hello" not in screen)  # there it takes back what was typed
        terminal.type("again")
        terminal.wait_for("again")
