"""Pictures of the three desks, dark and light. After a wanted change: pytest --snapshot-update, and look at them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from minigpt_tui.engine.events import LayerNorms
from minigpt_tui.engine.locks import acquire
from minigpt_tui.engine.requests import Ended
from minigpt_tui.engine.runs import Run
from minigpt_tui.tui import generator, run_detail
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.screens.document_way import DocumentWay
from minigpt_tui.tui.screens.inside import InsideDesk
from minigpt_tui.tui.screens.train import TrainDesk
from minigpt_tui.tui.screens.turns_way import TurnsWay
from minigpt_tui.tui.screens.write import WriteDesk
from minigpt_tui.tui.settings import Settings, save_settings
from minigpt_tui.tui.themes import DARK, LIGHT
from minigpt_tui.tui.widgets import run_columns
from minigpt_tui.tui.widgets.run_chart import RunChart
from textual.pilot import Pilot

from .next_way import next_way
from .runs_on_disk import CREATED, append, evaluation, make_run, make_run_on, progress, saved
from .scripted_engine import LetterEngine, ScriptedEngine
from .seen import screen_text
from .waiting import wait_until

SIZES = pytest.mark.parametrize(
    "size",
    [
        pytest.param((60, 20), id="60x20", marks=pytest.mark.long),
        pytest.param((80, 24), id="80x24"),
        pytest.param((120, 40), id="120x40", marks=pytest.mark.long),
    ],
)
THEMES = pytest.mark.parametrize(
    "theme", [pytest.param(DARK.name, id="dark"), pytest.param(LIGHT.name, id="light", marks=pytest.mark.long)]
)
VERSES = [
    "\nBut soft, [what] light through yonder window breaks?\nIt is the east.",
    " and no more.",
    "\nO, she doth teach.",
]

Size = tuple[int, int]


FRAME = "<|im_start|>user\nROMEO:<|im_end|>\n<|im_start|>assistant\n"


@pytest.fixture
def letters(engine: type[ScriptedEngine], monkeypatch: pytest.MonkeyPatch) -> Run:
    class Letters(LetterEngine):
        processes = []
        words = VERSES
        chat = True

        def end(self, id: int, sample: int = 0, *, cancelled: bool = False) -> None:
            self.say(Ended(id, "length", 5, 3, 0.01, 500.0, 200, 100 + sample, (), sample, "c0ffee", FRAME))

    monkeypatch.setattr(generator, "GenerateProcess", Letters)
    return make_run("play-01")


async def written(pilot: Pilot) -> DocumentWay:
    """A document with a beginning, and what the model wrote on."""
    desk = pilot.app.screen
    assert isinstance(desk, WriteDesk)
    await wait_until(pilot, lambda: desk.bridge.generator.ready)
    await next_way(pilot)
    await pilot.pause()
    way = desk.shown
    assert isinstance(way, DocumentWay)
    way.pane.insert("ROMEO:")
    await pilot.press("ctrl+n")
    await wait_until(pilot, lambda: not way.editor.writing and way.pane.is_settled)
    return way


@SIZES
@THEMES
def test_document(letters: Run, snap_compare, size: Size, theme: str):
    async def write(pilot: Pilot) -> None:
        way = await written(pilot)
        await pilot.press("f7", "left", "left", "left")
        await wait_until(pilot, lambda: "perplexity" in str(way.pane.border_subtitle))
        await wait_until(pilot, lambda: way.pane.token_at(0) is not None)
        if size[0] < 100:
            await pilot.press("f2")
        await pilot.pause(0.4)

    save_settings(Settings(theme=theme, document_samples=3))
    assert snap_compare(MinigptApp(), terminal_size=size, run_before=write)


async def chatting(pilot: Pilot) -> TurnsWay:
    """Two prompts were answered in a chat."""
    desk = pilot.app.screen
    assert isinstance(desk, WriteDesk)
    await wait_until(pilot, lambda: desk.bridge.generator.ready)
    for _ in ("document", "chat"):
        await next_way(pilot)
        await pilot.pause()
    way = desk.shown
    assert isinstance(way, TurnsWay)
    await wait_until(pilot, lambda: way.prompt.has_focus)
    for number, prompt in ((1, "ROMEO:"), (2, "JULIET:")):
        way.prompt.restore(prompt)
        await pilot.press("enter")
        await wait_until(pilot, lambda number=number: screen_text(pilot.app).count("tokens ·") == number)
    return way


@SIZES
@THEMES
def test_chat(letters: Run, snap_compare, size: Size, theme: str):
    async def write(pilot: Pilot) -> None:
        way = await chatting(pilot)
        await pilot.press("f7")
        colours = way.transcript.turns.probabilities
        end = way.transcript.turns.turn_start(0)
        await wait_until(
            pilot, lambda: colours.token_beside(end, 1) is not None and not way.conversation.colours.asking
        )
        if way.wide:  # the panels stand beside the text, with the run's figures
            await wait_until(pilot, lambda: "bits/byte" in screen_text(pilot.app))
        await pilot.pause(0.4)

    save_settings(Settings(theme=theme))
    assert snap_compare(MinigptApp(), terminal_size=size, run_before=write)


@SIZES
@THEMES
def test_frame(letters: Run, snap_compare, size: Size, theme: str):
    async def show(pilot: Pilot) -> None:
        way = await chatting(pilot)
        if way.wide:  # the panels stand beside the text, with the run's figures
            await wait_until(pilot, lambda: "bits/byte" in screen_text(pilot.app))
        await pilot.press("alt+t")
        await wait_until(pilot, lambda: "<|im_start|>assistant" in screen_text(pilot.app))
        await pilot.pause(0.4)

    save_settings(Settings(theme=theme))
    assert snap_compare(MinigptApp(), terminal_size=size, run_before=show)


@SIZES
@THEMES
def test_checkpoints(letters: Run, snap_compare, size: Size, theme: str):
    async def choose(pilot: Pilot) -> None:
        await written(pilot)
        await pilot.press("alt+n", "down")
        await wait_until(pilot, lambda: "step 1,000" in screen_text(pilot.app))
        await pilot.pause(0.4)

    save_settings(Settings(theme=theme))
    for name in ("step-400", "step-1000"):
        shutil.copytree(letters.checkpoints / "last", letters.checkpoints / name)
    assert snap_compare(MinigptApp(), terminal_size=size, run_before=choose)


@SIZES
@THEMES
def test_speakers(engine: type[ScriptedEngine], snap_compare, tmp_path: Path, size: Size, theme: str):
    async def choose(pilot: Pilot) -> None:
        desk = pilot.app.screen
        assert isinstance(desk, WriteDesk)
        await wait_until(pilot, lambda: desk.bridge.generator.ready)
        await pilot.press("alt+w")
        await wait_until(pilot, lambda: "14 speakers" in screen_text(pilot.app))
        await pilot.press("tab", *"citizen")
        await wait_until(pilot, lambda: "BENVOLIO" not in screen_text(pilot.app))
        await pilot.pause(0.4)

    save_settings(Settings(theme=theme))
    cast = (
        "ROMEO", "JULIET", "BENVOLIO", "TYBALT", "NURSE", "PETER", "SAMPSON", "GREGORY", "ABRAHAM", "MERCUTIO", "PARIS",
        "First Citizen", "Second Citizen", "Third Citizen",
    )  # fmt: skip
    said = (f"{name}:\nAy.\n\n" for times, name in enumerate(cast, 2) for _ in range(times))
    make_run_on(tmp_path / "play.txt", "".join(said))
    assert snap_compare(MinigptApp(), terminal_size=size, run_before=choose)


@SIZES
@THEMES
def test_train(engine: type[ScriptedEngine], snap_compare, monkeypatch: pytest.MonkeyPatch, size: Size, theme: str):
    async def turn(pilot: Pilot) -> None:
        await pilot.press("ctrl+r")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, TrainDesk))
        await pilot.pause(0.2)

    monkeypatch.setattr(run_columns, "time", lambda: CREATED + 4000)
    monkeypatch.setattr(run_detail, "time", lambda: CREATED + 4000)
    save_settings(Settings(theme=theme))
    for number, state in enumerate(("finished", "failed", "stopped"), 1):
        make_run(f"tales-{number:02}", state, steps=100 * number)
    run = make_run("play-01", "running", steps=250)
    with acquire(run.lock_path) or pytest.fail("locked"):
        assert snap_compare(MinigptApp(), terminal_size=size, run_before=turn)


async def overlaid(pilot: Pilot) -> None:
    """Three runs are marked, and the chart has the focus."""
    await pilot.press("ctrl+r")
    await wait_until(pilot, lambda: isinstance(pilot.app.screen, TrainDesk))
    for key in ("space", "down", "space", "down", "space"):
        await pilot.press(key)
        await pilot.pause()
    pilot.app.screen.query_one(RunChart).focus()


@SIZES
@THEMES
def test_curves(engine: type[ScriptedEngine], snap_compare, size: Size, theme: str):
    async def read(pilot: Pilot) -> None:
        await overlaid(pilot)
        await pilot.press("b", *["left"] * 12)
        await pilot.pause(0.2)

    save_settings(Settings(theme=theme))
    for number in (1, 2, 3):
        run = make_run(f"tales-{number:02}", steps=400 - 100 * number)
        append(run, *(progress(step, 1.3 + 0.1 * number) for step in range(410 - 100 * number, 401, 10)))
        append(run, evaluation(400, 1.4 + 0.1 * number), saved(400))
    assert snap_compare(MinigptApp(), terminal_size=size, run_before=read)


@SIZES
@THEMES
def test_figures(engine: type[ScriptedEngine], snap_compare, size: Size, theme: str):
    async def turn(pilot: Pilot) -> None:
        await overlaid(pilot)
        await pilot.press("g")
        await pilot.pause(0.2)

    save_settings(Settings(theme=theme))
    for number in (1, 2, 3):
        run = make_run(f"tales-{number:02}", steps=100 * number)
        append(run, *(LayerNorms(step, {"embedding": 5.0, "block 0": 7 + step / 100}, {"embedding": 1e-3 / step})
                      for step in (50, 75, 100)))  # fmt: skip
    assert snap_compare(MinigptApp(), terminal_size=size, run_before=turn)


@SIZES
@THEMES
def test_inside(engine: type[ScriptedEngine], snap_compare, size: Size, theme: str):
    async def turn(pilot: Pilot) -> None:
        app = pilot.app
        assert isinstance(app, MinigptApp)
        await wait_until(pilot, lambda: app.bridge.generator.ready)
        await pilot.press("f12")
        await wait_until(pilot, lambda: isinstance(app.screen, InsideDesk))
        await pilot.pause(0.2)

    save_settings(Settings(theme=theme))
    make_run("play-01")
    assert snap_compare(MinigptApp(), terminal_size=size, run_before=turn)
