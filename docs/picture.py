"""Takes the picture of the README: the real app, a real run on the built-in corpus, a real reply.

python docs/picture.py [--at 0.8] [docs/screen.svg]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from minigpt_tui.engine.events import Command
from minigpt_tui.tui.app import MinigptApp
from textual.pilot import Pilot

SIZE = (120, 40)
PROMPT = "THE SILVER SPOON\n\n"


def main() -> None:
    """Train, talk, and save what the screen shows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path, nargs="?", default=Path(__file__).with_name("screen.svg"))
    parser.add_argument("--at", type=float, default=0.8, help="the share of the training that is done by then")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["MINIGPT_HOME"] = home
        asyncio.run(take(arguments.picture.absolute(), arguments.at))
    print(arguments.picture)


async def take(picture: Path, at: float) -> None:
    """Drive the app without a terminal until the run is far enough, ask for a reply, and save the screen."""
    app = MinigptApp()
    async with app.run_test(size=SIZE) as pilot:
        training = app.bridge.training
        await pilot.press("enter")
        await until(pilot, lambda: app.bridge.trains)
        training = app.bridge.training
        await until(pilot, lambda: (training.fraction or 0) > at)
        await pilot.press("ctrl+l")
        app.screen.query_one("#prompt").load_text(PROMPT)  # type: ignore[attr-defined]
        await pilot.press("enter")
        await until(pilot, lambda: app.bridge.generator.speaks)
        await until(pilot, lambda: not app.bridge.generator.speaks)
        await pilot.pause(0.5)
        app.save_screenshot(str(picture))
        if app.bridge.run is not None:
            app.bridge.run.send(Command("stop"))
            await until(pilot, lambda: app.bridge.run is None or not app.bridge.run.is_alive())


async def until(pilot: Pilot[int], holds: Callable[[], bool]) -> None:
    """Let the app go on until `holds`."""
    while not holds():
        await pilot.pause(0.05)


if __name__ == "__main__":
    main()
