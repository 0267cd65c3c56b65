"""A walk through the screens of the app, as a person would take it, for tests of what all of them have in common."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from minigpt_tui.engine.requests import Ended
from minigpt_tui.tui import generator
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.screens.compare import CompareScreen
from minigpt_tui.tui.screens.document_way import DocumentWay
from minigpt_tui.tui.screens.help import HelpScreen
from minigpt_tui.tui.screens.inside import InsideDesk
from minigpt_tui.tui.screens.new_run import NewRunScreen
from minigpt_tui.tui.screens.open_model import OpenModelScreen
from minigpt_tui.tui.screens.sessions import SessionsScreen
from minigpt_tui.tui.screens.speakers import SpeakersBox
from minigpt_tui.tui.screens.train import TrainDesk
from minigpt_tui.tui.screens.tree import TreeScreen
from minigpt_tui.tui.screens.turns_way import TurnsWay
from minigpt_tui.tui.screens.write import WriteDesk
from minigpt_tui.tui.widgets.transcript import Transcript
from textual.command import CommandPalette
from textual.pilot import Pilot

from .runs_on_disk import make_run, make_run_on
from .scripted_engine import LetterEngine
from .seen import screen_text
from .waiting import wait_until

_VERSES = [" But soft, [what] light — “through” yonder", "\nIt is the east.\n日本語 é", " and no more.\n"]
_PLAY = "ROMEO:\nAy.\n\nJULIET:\nO Romeo, Romeo!\n\nNURSE:\nMadam!\n\n" * 40


def furnish(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Runs in each state, a play that the newest has learned from, and a model that writes verses."""

    class Letters(LetterEngine):
        processes = []
        words = _VERSES
        chat = True

        def end(self, id: int, sample: int = 0, *, cancelled: bool = False) -> None:
            notices = ("the prompt was cut",)
            self.say(Ended(id, "length", 5, 3, 0.01, 500.0, 200, 100 + sample, notices, sample, "c0ffee", "<|user|>"))

    monkeypatch.setattr(generator, "GenerateProcess", Letters)
    for number, state in enumerate(("finished", "failed", "stopped", "paused"), 1):
        make_run(f"tales-{number:02}", state, steps=100 * number)
    run = make_run_on(folder / "play.txt", _PLAY)
    for name in ("step-400", "step-1000"):
        shutil.copytree(run.checkpoints / "last", run.checkpoints / name)


async def turns(pilot: Pilot[int]) -> None:
    """Prompts are answered, coloured by probability and searched; a notice of each kind is shown."""
    app = _app(pilot)
    await wait_until(pilot, lambda: app.bridge.generator.ready)
    transcript = app.screen.query_one(Transcript)
    for number, prompt in enumerate(("ROMEO:", "it is", "no"), 1):
        await pilot.press(*(" " if key == " " else key for key in prompt.replace(" ", "_")), "enter")
        await wait_until(pilot, lambda number=number: screen_text(app).count("500/s") >= min(number, 2))
        await wait_until(pilot, lambda: app.bridge.generator.ready and transcript.is_settled)
    for severity in ("information", "warning", "error"):
        app.notify("A notice.", title="Title", severity=severity, timeout=600)
    await pilot.pause(0.1)


async def tour(pilot: Pilot[int]) -> AsyncIterator[str]:
    """From screen to screen; yields the name of each once it is shown."""
    app = _app(pilot)
    desk = app.screen
    assert isinstance(desk, WriteDesk)
    await turns(pilot)
    yield "turns"
    app.clear_notifications()
    await pilot.press("f7", "shift+tab", "left")
    await pilot.pause(0.1)
    yield "coloured turns"
    await pilot.press("slash", *"is")
    await pilot.pause(0.1)
    yield "searched turns"
    await pilot.press("escape", "f7")
    await wait_until(pilot, lambda: isinstance(app.screen, InsideDesk))
    await pilot.pause(0.1)
    yield "inside, tokens"
    await pilot.press("f4", "ctrl+p")
    await wait_until(pilot, lambda: isinstance(app.screen, CommandPalette))
    await pilot.pause(0.2)
    yield "palette"
    await _back(pilot)
    await pilot.press("f1")
    await wait_until(pilot, lambda: isinstance(app.screen, HelpScreen))
    yield "help"
    await _back(pilot)
    way = desk.show_way("document")
    assert isinstance(way, DocumentWay)
    await wait_until(pilot, lambda: way.pane.has_focus)
    way.pane.insert("ROMEO: it is")
    await pilot.press("ctrl+n")
    await wait_until(pilot, lambda: not way.editor.writing and way.pane.is_settled)
    await pilot.press("f7", "left", "left", "shift+left")
    await wait_until(pilot, lambda: way.pane.token_at(0) is not None)
    await pilot.pause(0.1)
    yield "document"
    await pilot.press("ctrl+f", *"is")
    await pilot.pause(0.1)
    yield "searched document"
    await pilot.press("escape", "ctrl+x")
    await wait_until(pilot, lambda: isinstance(app.screen, TreeScreen))
    await pilot.pause(0.1)
    yield "tree"
    await _back(pilot)
    await pilot.press("alt+n", "down")
    await wait_until(pilot, lambda: "step 1,000" in screen_text(app))
    yield "checkpoints"
    await _back(pilot)
    chat = desk.show_way("chat")
    assert isinstance(chat, TurnsWay)
    await wait_until(pilot, lambda: chat.prompt.has_focus)
    await pilot.press(*"no", "enter")
    await wait_until(pilot, lambda: "500/s" in screen_text(app))
    await pilot.press("alt+t")
    await wait_until(pilot, lambda: "<|user|>" in screen_text(app))
    yield "frame"
    await _back(pilot)
    desk.show_way("turns")
    await pilot.pause()
    await pilot.press("alt+w")
    await wait_until(pilot, lambda: isinstance(app.screen, SpeakersBox) and "3 speakers" in screen_text(app))
    yield "speakers"
    await _back(pilot)
    await pilot.press("alt+c")
    await wait_until(pilot, lambda: isinstance(app.screen, CompareScreen))
    await pilot.pause(0.3)
    await pilot.press("d")
    yield "compare"
    await _back(pilot)
    await pilot.press("ctrl+r")
    await wait_until(pilot, lambda: isinstance(app.screen, TrainDesk))
    await pilot.pause(0.1)
    yield "train"
    await pilot.press("tab")
    yield "train, chart"
    await pilot.press("f12")
    await wait_until(pilot, lambda: isinstance(app.screen, InsideDesk))
    await pilot.pause(0.1)
    yield "inside"
    await pilot.press("f4", "ctrl+t")
    await wait_until(pilot, lambda: isinstance(app.screen, NewRunScreen))
    await app.workers.wait_for_complete()
    await pilot.pause(0.1)
    yield "new run"
    await _back(pilot)
    await pilot.press("ctrl+o")
    await wait_until(pilot, lambda: isinstance(app.screen, OpenModelScreen))
    await pilot.press(*"/nowhere")
    await pilot.pause(0.2)
    yield "open a model"
    await _back(pilot)
    await pilot.press("ctrl+g")
    await wait_until(pilot, lambda: isinstance(app.screen, SessionsScreen))
    await pilot.pause(0.1)
    yield "sessions"
    await pilot.press("escape")


async def _back(pilot: Pilot[int]) -> None:
    """Leave what lies above the desk."""
    while len(pilot.app.screen_stack) > 1:
        await pilot.press("escape")
        await pilot.pause()


def _app(pilot: Pilot[int]) -> MinigptApp:
    assert isinstance(pilot.app, MinigptApp)
    return pilot.app
