"""Takes the pictures of the README: the real app, a real run on the built-in corpus, what its model really wrote.

    python docs/picture.py [FOLDER]

first-minute.svg moves: frames of one run from the first screen to a complete reply, shown in turn by CSS; screen.svg is
its last frame, and stands still. document.svg and tree.svg are of a text that was written with the same model.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import tempfile
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from minigpt_tui.engine.events import Command
from minigpt_tui.engine.requests import SamplingSettings
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.screens.document_way import DocumentWay
from minigpt_tui.tui.screens.write import WriteDesk
from minigpt_tui.tui.settings import Settings, save_settings
from textual.pilot import Pilot

SIZE = (100, 30)
PROMPT = "THE SILVER SPOON\n\n"
TRAINED = (0.04, 0.12, 0.25, 0.4, 0.55, 0.7)  # the shares of the training at which a frame is taken
STREAMED = 6  # frames of the reply at most
_FONT_FACE = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


class Frame(NamedTuple):
    """What the screen showed, as SVG, and for how many seconds it is shown."""

    svg: str
    seconds: float


def main() -> None:
    """Train, talk, and save what the screen shows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=Path(__file__).parent)
    folder = parser.parse_args().folder
    with tempfile.TemporaryDirectory() as home:
        os.environ["MINIGPT_HOME"] = home
        frames = asyncio.run(record())
        pictures = asyncio.run(write_a_document())
    pictures |= {"screen": frames[-1].svg, "first-minute": moving_picture(frames)}
    for name, picture in pictures.items():
        path = folder / f"{name}.svg"
        path.write_text(picture, encoding="utf-8")
        print(f"{path}: {path.stat().st_size / 1e3:,.0f} kB")


async def record() -> list[Frame]:
    """Drive the app without a terminal: begin to train, ask for a reply, and take frames on the way."""
    app, frames = MinigptApp(), []
    async with app.run_test(size=SIZE) as pilot:

        def take(seconds: float) -> None:
            frames.append(Frame(app.export_screenshot(), seconds))

        await pilot.pause(0.5)
        take(2.0)
        await pilot.press("enter")
        await until(pilot, lambda: app.bridge.is_training)
        training = app.bridge.training
        for share in TRAINED:
            await until(pilot, lambda share=share: (training.fraction or 0) >= share)
            take(1.0)
        await until(pilot, lambda: not app.bridge.generator.generating)
        await pilot.press("ctrl+l")
        app.screen.query_one("#prompt").load_text(PROMPT)  # type: ignore[attr-defined]
        await pilot.pause(0.2)
        take(1.5)
        await pilot.press("enter")
        await until(pilot, lambda: app.bridge.generator.generating)
        for _ in range(STREAMED):
            await pilot.pause(0.08)
            if not app.bridge.generator.generating:
                break
            take(0.3)
        await until(pilot, lambda: not app.bridge.generator.generating)
        await pilot.pause(0.5)
        take(4.0)
        if app.bridge.run is not None:
            app.bridge.run.send(Command("stop"))
            await until(pilot, lambda: app.bridge.run is None or not app.bridge.run.is_alive())
    return frames


async def write_a_document() -> dict[str, str]:
    """Write a text with the model of the run: three continuations, one of them chosen, coloured, with its tree."""
    settings = SamplingSettings(temperature=1.0, max_tokens=220, seed=11)
    save_settings(Settings(document_sampling=settings, document_samples=3))
    app, pictures = MinigptApp(), dict[str, str]()
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.bridge.generator.ready)
        desk = app.screen
        assert isinstance(desk, WriteDesk)
        way = desk.show_way("document")
        assert isinstance(way, DocumentWay)
        await pilot.pause(0.2)
        way.pane.insert(PROMPT + "Early in spring")
        await pilot.press("ctrl+n")
        await until(pilot, lambda: not way.editor.writing and app.bridge.generator.ready)
        await pilot.press("alt+down", "f7", "up", "up")
        await pilot.pause(1.5)
        pictures["document"] = app.export_screenshot()
        way.sampling.samples = 1
        await pilot.press("up", "end", "ctrl+n")
        await until(pilot, lambda: not way.editor.writing and app.bridge.generator.ready)
        await pilot.press("ctrl+x")
        await pilot.pause(0.5)
        pictures["tree"] = app.export_screenshot()
        await pilot.press("escape")
    return pictures


async def until(pilot: Pilot[int], holds: Callable[[], bool]) -> None:
    """Let the app go on until `holds`."""
    while not holds():
        await pilot.pause(0.05)


def moving_picture(frames: list[Frame]) -> str:
    """One SVG that shows the frames in turn, for ever; the last alone where nothing is to move, or cannot."""
    ends = list(accumulate(frame.seconds for frame in frames))
    rules, groups = [], []
    for number, (frame, end) in enumerate(zip(frames, ends, strict=True)):
        begin, stop = (100 * seconds / ends[-1] for seconds in (end - frame.seconds, end))
        after = "" if frame is frames[-1] else f" {stop:.3f}% {{ visibility: hidden }}"
        before = "" if number == 0 else "0% { visibility: hidden } "
        rules.append(f"@keyframes frame-{number} {{ {before}{begin:.3f}% {{ visibility: visible }}{after} }}")
        content = frame.svg[frame.svg.index(">") + 1 : frame.svg.rindex("</svg>")]
        content = content if number == 0 else _FONT_FACE.sub("", content)
        shown = "visible" if frame is frames[-1] else "hidden"
        style = f"visibility: {shown}; animation-name: frame-{number}"
        groups.append(f'<g class="frame" style="{style}">{content}</g>')
    opening = frames[0].svg[: frames[0].svg.index(">") + 1]
    motion = f".frame {{ animation-duration: {ends[-1]:.1f}s; animation-timing-function: step-end; "
    motion += "animation-iteration-count: infinite }"
    still = "@media (prefers-reduced-motion: reduce) { .frame { animation: none } }"
    return "\n".join([opening, "<style>", motion, *rules, still, "</style>", *groups, "</svg>\n"])


if __name__ == "__main__":
    main()
