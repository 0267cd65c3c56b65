"""Waiting for what should happen, instead of sleeping."""

from collections.abc import Callable
from time import monotonic

from textual.pilot import Pilot


async def wait_until(pilot: Pilot, predicate: Callable[[], bool], seconds: float = 60) -> None:
    """Let the app run until `predicate()` holds; fail where it does not within `seconds`."""
    deadline = monotonic() + seconds
    while not predicate():
        assert monotonic() < deadline, "what was waited for did not happen"
        await pilot.pause(0.01)
