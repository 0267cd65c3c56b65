"""The bell and the window's title at the end of a long reply: what is written to the terminal, and when."""

from __future__ import annotations

import re

import pytest
from minigpt_tui.engine.requests import Generate
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.settings import Settings, save_settings
from minigpt_tui.tui.window_title import WindowTitle

from .runs_on_disk import make_run
from .scripted_engine import ScriptedEngine
from .waiting import wait_until

TITLE, RESTORED = "\x1b[22;2t\x1b]2;a title\x1b\\", "\x1b[23;2t"


def test_a_title_is_restored_once_and_carries_no_controls():
    written: list[str] = []
    title = WindowTitle(written.append)
    title.take_back()
    title.show("a title")
    title.show("another\x1b]0;x\x07\n")
    title.take_back()
    title.take_back()
    assert written == [TITLE, "\x1b]2;another?]0;x??\x1b\\", RESTORED]


@pytest.mark.parametrize("name", ["", "dumb", "linux", "vt100"])
def test_a_terminal_without_a_title_gets_nothing(monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.setenv("TERM", name)
    monkeypatch.delenv("TMUX", raising=False)
    written: list[str] = []
    WindowTitle(written.append).show("a title")
    assert written == []


@pytest.mark.parametrize(
    ("settings", "pattern"),
    [
        (Settings(reply_end="both", reply_end_seconds=0), r"\x07\x1b\[22;2t\x1b]2;minigpt: .* s\x1b\\"),
        (Settings(reply_end="bell", reply_end_seconds=0), r"\x07"),
        (Settings(reply_end="both"), ""),
        (Settings(reply_end_seconds=0), ""),
    ],
    ids=["both", "bell", "short", "none"],
)
async def test_a_long_reply_is_told_of_as_the_person_wants_until_a_key_is_pressed(
    engine: type[ScriptedEngine], monkeypatch: pytest.MonkeyPatch, settings: Settings, pattern: str
):
    written: list[str] = []
    monkeypatch.setattr(MinigptApp, "_write_to_terminal", lambda _, text: written.append(text))
    monkeypatch.setattr(MinigptApp, "bell", lambda _: written.append("\x07"))
    save_settings(settings)
    make_run("play-01")
    app = MinigptApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_until(pilot, lambda: app.bridge.generator.loaded is not None)
        await pilot.press("a", "enter")
        process = engine.processes[-1]
        await wait_until(pilot, lambda: any(isinstance(request, Generate) for request in process.requests))
        await wait_until(pilot, lambda: app.bridge.generator.ready)
        await pilot.pause()
        assert re.fullmatch(pattern, "".join(written), re.DOTALL)
        await pilot.press("b")
        assert written[-1:] == ([RESTORED] if "22" in pattern else written[-1:])
