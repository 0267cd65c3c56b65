"""Names and texts of strangers on every screen: their markup is not applied, and a terminal would obey none of it."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from minigpt_tui.data.storage.typed_json import to_plain
from minigpt_tui.engine.events import Note, Started, StateChanged
from minigpt_tui.engine.requests import Alternative, TokenDetail
from minigpt_tui.engine.run_summary import RunSummaries
from minigpt_tui.engine.runs import CorpusRecord, Run, RunManifest
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.presets import preset
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.messages import Notice
from minigpt_tui.tui.placed_rows import placed
from minigpt_tui.tui.screens.help import HelpScreen
from minigpt_tui.tui.screens.inside import InsideDesk
from minigpt_tui.tui.screens.new_run import NewRunScreen
from minigpt_tui.tui.screens.open_model import OpenModelScreen
from minigpt_tui.tui.screens.questions import Answer, Question, Waiting, as_it_stands
from minigpt_tui.tui.screens.train import TrainDesk
from rich.console import Console
from textual.pilot import Pilot
from textual.screen import Screen

from .runs_on_disk import append, progress, save_checkpoint, set_status
from .scripted_engine import ScriptedEngine
from .seen import screen_text
from .waiting import wait_until

Engine = type[ScriptedEngine]

MARKUP = "[red]x[bold]"
EVIL = MARKUP + "\x1b]0;OWNED\x07\x1b[95m\x9b31m\x9d\x85\r\b\x7f\u202e\u2066\u061c"  # what a file name may hold
WORSE = f"[red]y[/red]{EVIL}\udcff\ud800\n\u2028[@click=app.quit]z[/]"

WRITTEN = re.compile("\x1b\\[[0-9;]*[Hm]")  # by the app: the cursor, and colours
OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def shown(app: MinigptApp) -> str:
    """The text on the screen; in what a terminal would be sent for it there is nothing to obey."""
    compositor = app.screen._compositor
    text = WRITTEN.sub("", placed(compositor.render_full_update(), compositor).render_segments(Console()))
    assert not (found := OBEYED.search(text)), f"{found!r} on {app.screen}"
    return screen_text(app)


@pytest.fixture
def stranger(home: Path) -> Run:
    """A run of which every word is a stranger's."""
    corpus = CorpusRecord(WORSE, "tales", "0" * 64, 1000, 1000)
    model = ModelConfig(62, context_length=16, n_layer=1, n_head=2, d_model=16)
    manifest = RunManifest("x", 1_750_000_000.0, WORSE, corpus, "char", model, preset("nanogpt-char-cpu").training)
    run = Run(home / "data" / "runs" / f"run{EVIL}")
    run.path.mkdir(parents=True)
    (run.path / "run.json").write_text(json.dumps(to_plain(replace(manifest, name=f"run{EVIL}"))))
    append(run, Started(0, 400, 800_000, 62, 9, 9, "cpu", WORSE, WORSE, 1, WORSE, 1.0, 1.1), progress(10))
    append(run, Note(10, WORSE, "warning"), StateChanged("failed", 10, 1.0, WORSE))
    set_status(run, "failed", 10)
    save_checkpoint(run)
    return run


async def start(pilot: Pilot[Any]) -> MinigptApp:
    app = pilot.app
    assert isinstance(app, MinigptApp)
    await wait_until(pilot, lambda: app.bridge.generator.loaded is not None)
    await pilot.pause()
    return app


async def test_the_chat_and_its_notices(engine: Engine, stranger: Run):
    async with MinigptApp().run_test(size=(120, 40)) as pilot:
        app = await start(pilot)
        assert shown(app).count(MARKUP) >= 3  # in the header, the note, a panel
        app.screen_stack[0].post_message(Notice(WORSE))
        app.screen_stack[0].post_message(Notice(WORSE, "warning", lasting=True))
        app.notify(WORSE, markup=False)
        app.bridge.model.device = WORSE
        await pilot.pause()
        assert shown(app).count("[red]y[/red]") >= 2


@pytest.mark.parametrize(
    "size", [pytest.param((120, 40), marks=pytest.mark.long), (80, 24), pytest.param((60, 20), marks=pytest.mark.long)]
)
async def test_every_other_screen(engine: Engine, stranger: Run, tmp_path: Path, size: tuple[int, int]):
    (tmp_path / f"text{EVIL}.txt").write_text(f"{EVIL} and so on. " * 200)
    token = TokenDetail(3, WORSE, 0.1, 0.2, 7, 1.5, (Alternative(8, WORSE, 0.5, 0.7), Alternative(3, EVIL, 0.1, 0.2)))
    async with MinigptApp().run_test(size=size) as pilot:
        app = await start(pilot)
        screens: dict[Screen[Any], str] = {
            TrainDesk(app.bridge, None, None, RunSummaries()): MARKUP,
            OpenModelScreen(app.bridge, f"/none/{EVIL}"): MARKUP,
            OpenModelScreen(app.bridge, str(stranger.path)): "",
            NewRunScreen(app.bridge, stranger.name): "",
            NewRunScreen(app.bridge, corpus=str(tmp_path / f"text{EVIL}.txt")): MARKUP,
            NewRunScreen(app.bridge, corpus=f"/none/{EVIL}"): MARKUP,
            InsideDesk(app.bridge, None, None, lambda: [[token] * 5]): "[red]y[/red]",
            HelpScreen(): "",
            as_it_stands(WORSE): "[red]y[/red]",
            Question("delete", WORSE, [Answer("yes", "yes", "y")]): "[red]y[/red]",
            Waiting(WORSE): "[red]y[/red]",
        }
        for screen, wanted in screens.items():
            await app.push_screen(screen)
            await pilot.pause()
            await wait_until(pilot, lambda wanted=wanted: wanted in shown(app), 10)
            app.pop_screen()
            await pilot.pause()
        app.action_command_palette()
        await pilot.pause()
        shown(app)
