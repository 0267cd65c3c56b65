"""What terminals with few colours, or few characters, are sent; and bytes from a keyboard that are no characters."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .conftest import COMMAND
from .terminal import Terminal


def test_a_terminal_that_is_not_utf8_gets_ascii_and_may_send_anything(home: Path) -> None:
    variables = "LC_ALL=C PYTHONIOENCODING=latin-1"
    with Terminal(f"env {variables} {COMMAND}", {"MINIGPT_HOME": str(home)}, 80, 24) as terminal:
        terminal.wait_for("no run yet")
        terminal.bytes(b"caf\xe9 \xff\xfe")
        terminal.type("and on")
        screen = terminal.wait_for("cafe y?and on")
        assert screen.isascii()
        assert "+----" in screen
        terminal.keys("C-q")
        assert terminal.wait_for_exit() == 0


@pytest.mark.long
def test_bytes_that_are_no_utf8_are_shown_as_such(home: Path) -> None:
    with Terminal(str(COMMAND), {"MINIGPT_HOME": str(home)}, 80, 24) as terminal:
        terminal.wait_for("no run yet")
        terminal.bytes(b"caf\xe9 \xff")
        terminal.type("und Käse")
        terminal.wait_for("caf� �und Käse")


@pytest.mark.long
@pytest.mark.parametrize(
    ("variables", "grounds"),
    [
        ("COLORTERM= TERM=screen-256color", "49|48;5;(23[2-9]|24[0-9]|25[0-5])"),
        ("COLORTERM= TERM=screen", "49|107"),  # the cursor is white
        ("COLORTERM=truecolor NO_COLOR=1", "49"),
        ("TERM=vt220", "49"),
    ],
    ids=["256", "16", "NO_COLOR", "vt220"],
)
def test_no_ground_is_a_colour_that_nobody_chose(home: Path, variables: str, grounds: str) -> None:
    with Terminal(f"env {variables} {COMMAND}", {"MINIGPT_HOME": str(home)}, 80, 24) as terminal:
        terminal.wait_for("no run yet")
        codes = re.findall(r"\x1b\[([\d;]*)m", terminal.screen(styled=True))
        without_text = re.sub(r"\b38;(5;\d+|2;\d+;\d+;\d+)", "", ";".join(codes))
        sent = re.findall(r"\b(?:48;5;\d+|48;2;\d+;\d+;\d+|4\d|10\d)\b", without_text)
        assert [code for code in sent if not re.fullmatch(grounds, code)] == []
