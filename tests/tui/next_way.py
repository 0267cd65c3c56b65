"""Ctrl+W, which the pilot cannot press: Textual names Alt+Backspace so as well, and only the character differs."""

from typing import Any

from textual.events import Key
from textual.pilot import Pilot


async def next_way(pilot: Pilot[Any]) -> None:
    """Turn to the next way of writing, by its key."""
    pilot.app.post_message(Key("ctrl+w", "\x17"))
    await pilot.pause()
