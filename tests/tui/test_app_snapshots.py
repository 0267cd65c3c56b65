"""Pictures of the screens. After a wanted change: run pytest on this file with --snapshot-update, and look at them."""

from __future__ import annotations

from string import ascii_letters, digits

import pytest
from minigpt_tui.data.corpus import Corpus
from minigpt_tui.data.text_preview import TextPreview
from minigpt_tui.engine import run_estimate
from minigpt_tui.engine.locks import acquire
from minigpt_tui.engine.machine_speed import MachineSpeed, PresetSpeed
from minigpt_tui.engine.results import DeviceReport
from minigpt_tui.models import memory
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.screens.new_run import NewRunScreen
from minigpt_tui.tui.settings import Settings, save_settings
from minigpt_tui.tui.widgets import corpus_fields, run_estimate_view
from minigpt_tui.tui.widgets.recipe_row import RecipeRow
from minigpt_tui.tui.widgets.transcript import Transcript
from textual.pilot import Pilot
from textual.widgets import Select

from .runs_on_disk import make_run
from .scripted_engine import ScriptedEngine
from .waiting import wait_until

Engine = type[ScriptedEngine]
SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
PREVIEW = "THE QUIET MILL\n\nLate in autumn, [on a rainy] evening, a miller counted seven sacks."


@SIZES
def test_first_start(engine: Engine, snap_compare, size: tuple[int, int]):
    assert snap_compare(MinigptApp(), terminal_size=size)


async def talk(pilot: Pilot) -> None:
    app = pilot.app
    assert isinstance(app, MinigptApp)
    await wait_until(pilot, lambda: app.bridge.generator.ready)
    await pilot.press(*"ROMEO:", "enter")
    await wait_until(pilot, lambda: app.bridge.generator.ready and app.screen.query_one(Transcript).is_settled)
    await pilot.pause(0.2)


@SIZES
def test_chat_beside_a_training(engine: Engine, snap_compare, size: tuple[int, int]):
    run = make_run("play-01", "running", steps=250)
    with acquire(run.lock_path) or pytest.fail("locked"):
        assert snap_compare(MinigptApp(), terminal_size=size, run_before=talk)


@SIZES
def test_several_samples(engine: Engine, snap_compare, size: tuple[int, int]):
    save_settings(Settings(samples=3))
    make_run("play-01")
    assert snap_compare(MinigptApp(), terminal_size=size, run_before=talk)


@SIZES
def test_why_these_tokens(engine: Engine, snap_compare, size: tuple[int, int]):
    async def ask_why(pilot: Pilot) -> None:
        await talk(pilot)
        await pilot.press("f7", "right", "right")
        await wait_until(pilot, lambda: "3 of 5" in str(pilot.app.screen.query_one("#tokens-panel").border_title))
        await pilot.pause(0.2)

    save_settings(Settings(explain=True))
    make_run("play-01")
    assert snap_compare(MinigptApp(), terminal_size=size, run_before=ask_why)


def test_chat_in_the_light_theme(engine: Engine, snap_compare):
    save_settings(Settings(theme="minigpt-light"))
    make_run("play-01")
    assert snap_compare(MinigptApp(), terminal_size=(120, 40), run_before=talk)


def test_drawer_in_a_narrow_window(engine: Engine, snap_compare):
    async def open_drawer(pilot: Pilot) -> None:
        await talk(pilot)
        await pilot.press("f2")
        await wait_until(pilot, lambda: pilot.app.screen.query_one(Transcript).turns.width < 40)
        await pilot.pause()

    make_run("play-01", "failed", steps=250)
    assert snap_compare(MinigptApp(), terminal_size=(80, 24), run_before=open_drawer)


@pytest.fixture
def known_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the form says depends on neither the machine nor the built-in text."""
    corpus = Corpus("tales", "tales", "0" * 64, 1_000_000, 1_000_000, 1, ascii_letters + digits, (), PREVIEW)
    preview = TextPreview(1_000_000, True, 30_431, 5_012, 20_120, ("UTF-8",), None)
    monkeypatch.setattr(corpus_fields, "open_corpus", lambda *_, **__: corpus)
    monkeypatch.setattr(corpus_fields, "preview_of", lambda *_: preview)
    monkeypatch.setattr(Corpus, "entropy_floor", lambda *_: 0.42)
    monkeypatch.setattr(memory, "has_bfloat16", lambda: False)
    monkeypatch.setattr(run_estimate, "total_memory", lambda: 16 * 10**9)
    monkeypatch.setattr(run_estimate, "free_memory", lambda: 12 * 10**9)
    monkeypatch.setattr(run_estimate, "_may_have_gpu", lambda: False)
    speed = PresetSpeed("laptop", 580_000, 30_000.0, 300.0, 16, 16, 110.0)
    cpu = DeviceReport("2.13", ("cpu",), "cpu", "a CPU", "float32", "float32", "", 2, None)
    known = MachineSpeed("host", "a CPU", cpu, "2026-01-01T10:00+00:00", (speed,))
    monkeypatch.setattr(run_estimate_view, "read_speed", lambda _: known)


async def open_form(pilot: Pilot) -> NewRunScreen:
    await pilot.press("ctrl+t")
    await wait_until(pilot, lambda: isinstance(pilot.app.screen, NewRunScreen))
    form = pilot.app.screen
    assert isinstance(form, NewRunScreen)
    form.query_one("#preset", Select).value = "nanogpt-char-cpu"  # ours are still being tuned
    await wait_until(pilot, lambda: form.text.preview is not None and form.estimate.estimate is not None)
    await wait_until(pilot, lambda: form.estimate.estimate.training.optimizer == "adamw")  # pyright: ignore
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()
    return form


@SIZES
@pytest.mark.usefixtures("known_machine")
def test_new_run(engine: Engine, snap_compare, size: tuple[int, int]):
    assert snap_compare(MinigptApp(), terminal_size=size, run_before=open_form)


@pytest.mark.parametrize(
    "size", [pytest.param((80, 24), id="80x24"), pytest.param((120, 40), id="120x40", marks=pytest.mark.long)]
)
@pytest.mark.usefixtures("known_machine")
def test_all_fields_of_a_new_run(engine: Engine, snap_compare, size: tuple[int, int]):
    async def search(pilot: Pilot) -> None:
        await open_form(pilot)
        await pilot.press("ctrl+f", *"learning")
        await wait_until(pilot, lambda: len(pilot.app.screen.query(RecipeRow)) > 3)
        await pilot.press("tab", "ctrl+u", *"500", "tab", "tab", "ctrl+u", *"0.5")
        await pilot.app.workers.wait_for_complete()
        await pilot.pause(0.2)

    assert snap_compare(MinigptApp(), terminal_size=size, run_before=search)


def test_the_question_before_quitting(engine: Engine, snap_compare):
    app = MinigptApp()

    async def ask(pilot: Pilot) -> None:
        await wait_until(pilot, lambda: app.bridge.is_training)
        await pilot.press("ctrl+q")
        await wait_until(pilot, lambda: len(pilot.app.screen_stack) > 1)
        await pilot.pause()

    run = make_run("play-01", "running", steps=250, checkpoint=False)
    with acquire(run.lock_path) or pytest.fail("locked"):
        assert snap_compare(app, terminal_size=(80, 24), run_before=ask)
