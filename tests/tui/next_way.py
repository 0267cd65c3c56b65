"""Ctrl+W, which the pilot cannot press: Textual names Alt+Backspace so as well, and only the character differs."""

from typing import Any

from minigpt_tui.tui.screens.write import WriteDesk
from textual.events import Key
from textual.pilot import Pilot

from .waiting import wait_until


async def next_way(pilot: Pilot[Any]) -> None:
    """Turn to the next way of writing, by its key."""
    desk = pilot.app.get_screen_stack("write")[0]
    assert isinstance(desk, WriteDesk)
    before = desk.way
    pilot.app.post_message(Key("ctrl+w", "\x17"))
    await wait_until(pilot, lambda: desk.way != before)
    await pilot.pause()
