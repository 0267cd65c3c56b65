"""Takes the pictures of the README: the real app, a real run on the built-in corpus, what its model really wrote.

    python docs/picture.py [FOLDER]

first-minute.svg moves: frames of one run from the first screen to a complete reply, shown in turn by CSS; screen.svg is
its last frame, and stands still. document.svg and tree.svg are of a text that was written with the same model,
compare.svg, quotes.svg and settings.svg of what else can be done with it. train.svg lays a second run over the first,
meaning.svg and steering.svg are its boxes, new-run.svg is the form.
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
from time import monotonic, sleep
from typing import NamedTuple

from minigpt_tui.engine.events import Command
from minigpt_tui.engine.requests import SamplingSettings
from minigpt_tui.engine.runs import list_runs
from minigpt_tui.models.presets import preset
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.screens.document_way import DocumentWay
from minigpt_tui.tui.screens.train import TrainDesk
from minigpt_tui.tui.screens.write import WriteDesk
from minigpt_tui.tui.settings import Settings, save_settings
from textual.pilot import Pilot

SIZE = (103, 30)  # at so many columns the footer ends with a whole key, on almost every frame
DESK = (120, 36)  # of the train desk, which shows more
PROMPT = "THE SILVER SPOON\n\n"
TRAINED = (0.04, 0.12, 0.25, 0.4, 0.55, 0.7)  # the shares of the training at which a frame is taken
REPLY_TOKENS = 300  # as many as the screen has room for below the prompt
TRAINING_SECONDS = 75.0  # after which a slow machine shows how far it came
STREAMED = 6  # frames of the reply at most
PATIENCE = 90.0  # seconds that one step may take
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
    os.environ["COLORTERM"] = "truecolor"  # the colours of the pictures are those of no terminal here
    os.environ.pop("NO_COLOR", None)
    with tempfile.TemporaryDirectory() as home:
        os.environ["MINIGPT_HOME"] = home
        try:
            frames = asyncio.run(record())
        finally:
            end_training()
        pictures = asyncio.run(write_a_document()) | asyncio.run(compare_and_look_up())
        try:
            pictures |= asyncio.run(train_another())
        finally:
            end_training()
    pictures |= {"screen": frames[-1].svg, "first-minute": moving_picture(frames)}
    for name, picture in pictures.items():
        path = folder / f"{name}.svg"
        path.write_text(picture, encoding="utf-8")
        print(f"{path}: {path.stat().st_size / 1e3:,.0f} kB")


async def record() -> list[Frame]:
    """Drive the app without a terminal: begin to train, ask for a reply, and take frames on the way."""
    save_settings(Settings(sampling=SamplingSettings(max_tokens=REPLY_TOKENS)))
    app, frames = MinigptApp(), []
    async with app.run_test(size=SIZE) as pilot:

        def take(seconds: float) -> None:
            frames.append(Frame(app.export_screenshot(), seconds))

        await pilot.pause(0.5)
        take(2.0)
        await pilot.press("enter")
        await until(pilot, lambda: app.bridge.is_training)
        begun = monotonic()
        for share in TRAINED:
            await until_trained(pilot, app, share, begun)
            take(1.0)
        await until(pilot, lambda: app.bridge.generator.ready)
        await pilot.press("ctrl+l")
        desk = app.screen
        assert isinstance(desk, WriteDesk)
        desk.turns.prompt.insert(PROMPT)
        await pilot.pause(0.2)
        take(1.5)
        frames += await stream_reply(pilot, app, desk)
        take(4.0)
        await until_trained(pilot, app, 1.0, begun)
    return frames


async def until_trained(pilot: Pilot[int], app: MinigptApp, share: float, begun: float) -> None:
    """Let the app go on until this share of the budget is used, or of TRAINING_SECONDS since `begun`."""
    latest = begun + TRAINING_SECONDS * share
    training = app.bridge.training
    await until(pilot, lambda: training.ended or (training.fraction or 0) >= share or monotonic() > latest)
    if training.state in ("failed", "crashed"):
        raise SystemExit(f"The training has {training.state}: {training.reason}")


async def stream_reply(pilot: Pilot[int], app: MinigptApp, desk: WriteDesk) -> list[Frame]:
    """Send the prompt, and return frames of the reply while it came: a timer takes them, for a fast model has answered
    before the pilot goes on.
    """
    streamed: list[Frame] = []

    def take() -> None:
        if not desk.turns.conversation.can_stop:
            return
        frame = Frame(app.export_screenshot(), 0.3)
        if frame not in streamed[-1:]:
            streamed.append(frame)

    timer = app.set_interval(0.05, take)
    await pilot.press("enter")
    turns = desk.turns  # the session begins with the prompt
    await until(pilot, lambda: turns.session.id is not None and not turns.conversation.can_stop)
    timer.stop()
    await pilot.pause(0.5)
    count = min(STREAMED, len(streamed))
    return [streamed[number * len(streamed) // count] for number in range(count)]


async def write_a_document() -> dict[str, str]:
    """Write a text with the model of the run: three continuations, one of them chosen, coloured, with its tree."""
    settings = SamplingSettings(temperature=1.0, max_tokens=360, seed=11)
    save_settings(Settings(document_sampling=settings, document_samples=3))
    app, pictures = MinigptApp(), dict[str, str]()
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.bridge.generator.ready)
        desk = app.screen
        assert isinstance(desk, WriteDesk)
        way = desk.show_way("document")
        assert isinstance(way, DocumentWay)
        await until(pilot, lambda: way.pane.has_focus)
        way.pane.insert(PROMPT + "Early in spring")
        await pilot.press("ctrl+n")
        await until(pilot, lambda: not way.editor.writing and app.bridge.generator.ready)
        await pilot.press("alt+down", "f7", "up", "up", "home")
        await pilot.pause(0.5)  # a cursor that rests: the model is asked about its token
        await until(pilot, lambda: app.bridge.generator.ready)
        await pilot.pause(1.0)
        pictures["document"] = app.export_screenshot()
        way.sampling.samples = 1
        await pilot.press("up", "end", "ctrl+n")
        await until(pilot, lambda: not way.editor.writing and app.bridge.generator.ready)
        await pilot.press("ctrl+x")
        await pilot.pause(0.5)
        pictures["tree"] = app.export_screenshot()
        await pilot.press("escape")
    return pictures


async def compare_and_look_up() -> dict[str, str]:
    """Continue a prompt side by side, look up what of a reply is quoted, and open the settings."""
    save_settings(Settings(sampling=SamplingSettings(max_tokens=REPLY_TOKENS, seed=3)))
    app, pictures = MinigptApp(), dict[str, str]()
    async with app.run_test(size=SIZE) as pilot:

        def shows(words: str, times: int = 1) -> bool:
            return app.export_screenshot().replace("&#160;", " ").count(words) >= times

        await until(pilot, lambda: app.bridge.generator.ready)
        desk = app.screen
        assert isinstance(desk, WriteDesk)
        desk.show_way("turns")
        await pilot.press("ctrl+l")
        desk.turns.prompt.insert(PROMPT)
        await pilot.press("enter")
        await until(pilot, lambda: shows("longest quote"))
        await pilot.press("alt+c")
        await until(pilot, lambda: shows(f"{REPLY_TOKENS} tokens", 2))
        pictures["compare"] = app.export_screenshot()
        await pilot.press("escape", "alt+q")
        await until(pilot, lambda: shows("Esc closes"))
        await pilot.pause(1.0)
        pictures["quotes"] = app.export_screenshot()
        await pilot.press("escape", "alt+s")
        await until(pilot, lambda: shows("saved in settings.toml"))
        await pilot.pause(0.5)
        pictures["settings"] = app.export_screenshot()
        await pilot.press("escape")
    return pictures


async def train_another() -> dict[str, str]:
    """Train again with another learning rate, lay both runs over each other, and open what belongs to them."""
    app, pictures = MinigptApp(), dict[str, str]()
    async with app.run_test(size=DESK) as pilot:

        def take(name: str) -> None:
            pictures[name] = app.export_screenshot()

        await until(pilot, lambda: app.bridge.generator.ready)
        await app.bridge.train("tales", preset("quick").overridden(learning_rate=0.006))
        await until(pilot, lambda: (app.bridge.training.fraction or 0.0) > 0.6)
        await pilot.press("ctrl+r")
        await pilot.pause(1.0)
        desk = app.screen
        assert isinstance(desk, TrainDesk)
        await pilot.press("space", "down", "space", "up")
        await pilot.pause(1.5)
        take("train")
        await pilot.press("l")
        await pilot.pause(1.0)
        take("steering")
        await pilot.press("escape", "w")
        await pilot.pause(1.0)
        take("meaning")
        await pilot.press("escape", "n")
        await pilot.pause(3.0)
        take("new-run")
        await pilot.press("escape")
    return pictures


async def until(pilot: Pilot[int], holds: Callable[[], bool]) -> None:
    """Let the app go on until `holds`; give up where that does not come."""
    latest = monotonic() + PATIENCE
    while not holds():
        if monotonic() > latest:
            raise SystemExit(f"The app has not come further for {PATIENCE:.0f} seconds; no picture was taken.")
        await pilot.pause(0.05)


def end_training() -> None:
    """Stop what trains, also where no picture could be taken: its folder goes with us."""
    latest = monotonic() + PATIENCE
    for run in list_runs():
        if run.is_alive():
            run.send(Command("stop"))
        while run.is_alive() and monotonic() < latest:
            sleep(0.1)


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
