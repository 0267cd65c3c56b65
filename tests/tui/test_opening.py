"""What is painted before Textual is imported: the borders of the desk, and nothing that a person types is lost."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.opening import frame, painting

from .scripted_engine import ScriptedEngine
from .seen import screen_text
from .waiting import wait_until

Engine = type[ScriptedEngine]

ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"
SIZES = [(60, 20), (80, 24), (100, 30), (120, 40), (159, 40), (160, 45), (200, 60)]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_what_it_paints_stands_in_the_app_as_well(engine: Engine, size: tuple[int, int]):
    painted = frame(*size)
    async with MinigptApp().run_test(size=size) as pilot:
        await wait_until(pilot, lambda: differences(painted, screen_text(pilot.app)) == [])
    assert {"╭", "╮", "╰", "╯"} <= set("".join(painted))


def differences(painted: list[str], screen: str) -> list[tuple[int, int]]:
    """The rows and columns at which something is painted that is not on the screen, whose borders have titles."""
    rows = [re.sub("─ (turns|sampling) ", lambda title: "─" * len(title[0]), row) for row in screen.splitlines()]
    return [
        (row, column)
        for row, (mine, its) in enumerate(zip(painted, rows, strict=False))
        for column, character in enumerate(mine)
        if character not in (" ", its[column])
    ]


@pytest.mark.parametrize("stream", ["stdin", "stderr"])
def test_nothing_is_painted_where_there_is_no_terminal(monkeypatch, stream: str):
    monkeypatch.setattr(f"sys.__{stream}__", None)
    assert painting() == ""


def test_without_a_keyboard_the_terminal_is_left_alone(home: Path):
    terminal = Terminal(home, keyboard=subprocess.DEVNULL)
    try:
        terminal.read_until(b"needs a terminal")
        assert ENTER not in terminal.seen
    finally:
        terminal.close()


class Terminal:
    """A pseudo-terminal with the app in it; all that it has painted is `seen`."""

    def __init__(
        self, home: Path, size: tuple[int, int] = (120, 40), term: str = "xterm-256color", keyboard: int | None = None
    ) -> None:
        pty = pytest.importorskip("pty")
        import fcntl
        import struct
        import termios

        self.end, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self.app = subprocess.Popen(
            [sys.executable, "-m", "minigpt_tui.tui"], stdin=inner if keyboard is None else keyboard, stdout=inner,
            stderr=inner, start_new_session=True, env={**os.environ, "TERM": term, "MINIGPT_HOME": str(home)},
        )  # fmt: skip
        os.close(inner)
        self.seen = b""

    def read_until(self, wanted: bytes) -> None:
        """Read until `wanted` was painted."""
        deadline = time.monotonic() + 60
        while wanted not in self.seen:
            assert time.monotonic() < deadline, f"{wanted!r} was not painted"
            if select.select([self.end], [], [], 0.1)[0]:
                self.seen += os.read(self.end, 65536)

    def close(self) -> None:
        self.app.kill()
        self.app.wait()
        os.close(self.end)


def test_what_is_typed_at_once_stands_in_the_prompt_and_the_terminal_comes_back(home: Path):
    terminal = Terminal(home)
    try:
        terminal.read_until("╭─".encode())
        before = terminal.seen
        os.write(terminal.end, b"early words")
        terminal.read_until(b"no run yet")
        assert before.startswith(ENTER)
        assert b"minigpt" in before
        terminal.seen = b""
        os.write(terminal.end, b" and late")
        terminal.read_until(b"late")
        os.write(terminal.end, b"\x11")  # ctrl+q
        terminal.read_until(LEAVE)
        assert terminal.app.wait(20) == 0
        drafts = [path.read_bytes() for path in (home / "data").glob("sessions*") if path.is_file()]
        assert any(b"early words and late" in draft for draft in drafts), "it was kept as the draft"
    finally:
        terminal.close()


@pytest.mark.parametrize(("size", "term"), [((50, 15), "xterm-256color"), ((120, 40), "dumb")], ids=["small", "dumb"])
def test_nothing_is_painted_where_it_would_not_look_like_the_app(home: Path, size: tuple[int, int], term: str):
    terminal = Terminal(home, size, term)
    try:
        terminal.read_until(ENTER)
        assert "╭".encode() not in terminal.seen.split(ENTER)[0]
        assert not terminal.seen.startswith(ENTER + b"\x1b[H")
    finally:
        terminal.close()
