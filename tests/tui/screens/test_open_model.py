"""Opening models that lie anywhere on disk, and training them further."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from minigpt_tui.engine.requests import Load
from minigpt_tui.engine.runs import list_runs
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.found_models import look_up
from minigpt_tui.tui.screens.new_run import NewRunScreen
from minigpt_tui.tui.screens.open_model import OpenModelScreen
from minigpt_tui.tui.screens.write import WriteDesk
from minigpt_tui.tui.widgets.model_input import ModelInput
from textual.pilot import Pilot
from textual.widgets import Input, Select

from ..runs_on_disk import make_run, write_model
from ..scripted_engine import ScriptedEngine
from ..seen import notices, screen_text
from ..waiting import wait_until

Engine = type[ScriptedEngine]
WIDE = (120, 40)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model that no run belongs to, in a folder whose name looks like markup."""
    return write_model(tmp_path / "[red]small")


def app_of(pilot: Pilot[Any]) -> MinigptApp:
    assert isinstance(pilot.app, MinigptApp)
    return pilot.app


def shown(pilot: Pilot[Any]) -> str:
    return screen_text(pilot.app)


async def look_for(pilot: Pilot[Any], text: str) -> None:
    await pilot.press("ctrl+o")
    await wait_until(pilot, lambda: isinstance(pilot.app.screen, OpenModelScreen))
    pilot.app.screen.query_one("#model-path", Input).value = text


def loads(engine: Engine) -> list[Load]:
    return [request for process in engine.processes for request in process.requests if isinstance(request, Load)]


async def test_a_path_says_in_place_what_lies_there_and_enter_lets_it_speak(engine: Engine, model: Path):
    async with MinigptApp().run_test(size=WIDE) as pilot:
        await look_for(pilot, str(model))
        await wait_until(pilot, lambda: "checkpoint of minigpt-tui" in shown(pilot))
        for words in ("[red]small", "64 tokens", "char, 57 tokens", "2 × rope · RMSNorm · SwiGLU, width 32"):
            assert words in shown(pilot)
        await pilot.press("enter")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, WriteDesk))
        await wait_until(pilot, lambda: app_of(pilot).bridge.generator.ready)
        await pilot.pause(0.1)
        assert [(load.path, load.follow) for load in loads(engine)] == [(str(model), False)]
        text = shown(pilot)
        assert "[red]small is opened" in text
        assert "nothing trains here" in text
        assert "4 (2 kv)" in text
        assert "57 char" in text
        await pilot.press(*"abc", "enter")
        await wait_until(pilot, lambda: "[b]abc[/b] and so on" in shown(pilot))
        assert app_of(pilot).bridge.run is None


@pytest.mark.long
async def test_enter_that_comes_before_the_answer_is_kept(engine: Engine, model: Path):
    async with MinigptApp().run_test(size=WIDE) as pilot:
        await look_for(pilot, str(model))
        await pilot.press("enter")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, WriteDesk))
        assert app_of(pilot).bridge.opened is not None


async def test_what_is_no_model_is_refused_in_place(engine: Engine, tmp_path: Path, model: Path):
    missing, text, folder = (tmp_path / name for name in ("[b]missing", "[b]text.txt", "[b]folder"))
    text.write_text("once upon a time")
    folder.mkdir()
    (model / "minigpt.json").write_text('{"model": {"n_layer": -1}}')
    async with MinigptApp().run_test(size=WIDE) as pilot:
        for path in (missing, text, folder, model):
            await look_for(pilot, str(path))
            field = pilot.app.screen.query_one(ModelInput)
            await wait_until(pilot, lambda field=field, path=path: path.name in field.problem)
            await pilot.pause()
            assert field.problem[:10] in shown(pilot)
            await pilot.press("enter", "f6")
            await pilot.pause()
            assert isinstance(pilot.app.screen, OpenModelScreen)
            await pilot.press("escape")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, WriteDesk))
    assert loads(engine) == []


async def test_a_runs_checkpoint_attaches_the_run(engine: Engine, model: Path):
    run = make_run("a-01", checkpoint=False)
    make_run("a-02")
    write_model(run.checkpoints / "best")
    async with MinigptApp().run_test(size=WIDE) as pilot:
        await look_for(pilot, "a-01")
        await wait_until(pilot, lambda: "found       run" in shown(pilot))
        await pilot.press("enter")
        await wait_until(pilot, lambda: app_of(pilot).bridge.run == run)
        await wait_until(pilot, lambda: app_of(pilot).bridge.generator.ready)
        assert (loads(engine)[-1].path, loads(engine)[-1].follow) == (str(run.path), True)


@pytest.mark.long
async def test_completion_offers_folders_and_checkpoints_alone(engine: Engine, tmp_path: Path):
    (tmp_path / "aa.txt").touch()
    (tmp_path / "ab.pt").touch()
    async with MinigptApp().run_test(size=WIDE) as pilot:
        await look_for(pilot, f"{tmp_path}/a")
        field = pilot.app.screen.query_one(ModelInput)
        await wait_until(pilot, lambda: field._suggestion == f"{tmp_path}/ab.pt")


async def test_the_command_line_can_begin_with_a_model_or_offer_one(engine: Engine, model: Path):
    make_run("a-01")
    async with MinigptApp(model=look_up(str(model))).run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: app_of(pilot).bridge.generator.ready)
        assert [load.path for load in loads(engine)] == [str(model)]
        assert app_of(pilot).bridge.run is None
    async with MinigptApp(model_path=str(model)).run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: "checkpoint of minigpt-tui" in shown(pilot))
        await pilot.press("escape")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, WriteDesk))
        assert app_of(pilot).bridge.run == list_runs()[0]


async def test_a_dead_process_gets_the_opened_model_again(engine: Engine, model: Path):
    async with MinigptApp(model=look_up(str(model))).run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: app_of(pilot).bridge.generator.ready)
        engine.processes[0].die(1, "the generate process ended with code 1")
        await wait_until(pilot, lambda: len(engine.processes) == 2 and app_of(pilot).bridge.generator.ready)
        assert [(load.path, load.follow) for load in loads(engine)] == [(str(model), False)] * 2


@pytest.mark.long
async def test_a_process_that_was_given_up_is_tried_again_for_a_model_that_is_opened(engine: Engine, model: Path):
    make_run("a-01")
    async with MinigptApp().run_test(size=WIDE) as pilot:
        for number in range(3):
            await wait_until(pilot, lambda number=number: len(engine.processes) == number + 1)
            engine.processes[number].die(1, "the generate process ended with code 1")
        app_of(pilot).bridge.open(look_up(str(model)))
        await wait_until(pilot, lambda: app_of(pilot).bridge.generator.ready)
        assert loads(engine)[-1].path == str(model)


# --- training further -----------------------------------------------------------------------------


async def further(pilot: Pilot[Any]) -> NewRunScreen:
    await pilot.press("f6")
    await wait_until(pilot, lambda: isinstance(pilot.app.screen, NewRunScreen))
    screen = pilot.app.screen
    assert isinstance(screen, NewRunScreen)
    await wait_until(pilot, lambda: "the model's: char, 57 tokens" in shown(pilot))
    await wait_until(pilot, lambda: screen.query_one("#n_layer", Input).value == "2")
    return screen


async def test_f6_turns_the_form_into_a_fine_tuning_and_f5_starts_it(engine: Engine, model: Path):
    async with MinigptApp(model=look_up(str(model))).run_test(size=WIDE) as pilot:
        form = await further(pilot)
        values = {
            name: form.query_one(f"#{name}", Input) for name in ("n_layer", "n_head", "d_model", "context_length")
        }
        assert {name: field.value for name, field in values.items()} == {
            "n_layer": "2", "n_head": "4", "d_model": "32", "context_length": "64",
        }  # fmt: skip
        assert [name for name, field in values.items() if field.disabled] == ["n_layer", "n_head", "d_model"]
        assert form.query_one("#preset", Select).value == "finetune"
        assert not form.query_one("#tokenizer-field").display
        assert not form.query_one("#unknown-field").display
        assert "parameters  " in shown(pilot)
        form.query_one("#context_length", Input).value = "128"
        await wait_until(pilot, lambda: "context_length can be at most 64" in form.problem)
        form.query_one("#context_length", Input).value = "32"
        await wait_until(pilot, lambda: form.problem == "")
        (model.parent / "own.txt").write_text("It was a dark and stormy night.\n" * 300)
        form.query_one("#corpus-name", Input).value = str(model.parent / "own.txt")
        await wait_until(pilot, lambda: "dark and stormy" in shown(pilot))
        await pilot.press("f5")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, WriteDesk))
        await wait_until(pilot, lambda: "with the weights of" in shown(pilot))
    manifest = list_runs()[0].manifest()
    assert (manifest.start_from, manifest.preset, manifest.tokenizer) == (str(model), "finetune", "char")
    assert (manifest.model.context_length, manifest.model.d_model, manifest.model.vocab_size) == (32, 32, 57)


@pytest.mark.long
async def test_emptying_the_field_gives_the_form_back(engine: Engine, model: Path):
    async with MinigptApp(model=look_up(str(model))).run_test(size=WIDE) as pilot:
        form = await further(pilot)
        form.query_one("#start-from", Input).value = ""
        await wait_until(pilot, lambda: form.query_one("#preset", Select).value == "quick")
        await wait_until(pilot, lambda: form.query_one("#d_model", Input).value == "96")
        assert form.query_one("#tokenizer-field").display
        assert not form.query_one("#n_layer", Input).disabled
        assert form.problem == ""


async def test_a_model_that_cannot_be_started_from_is_refused_in_place(engine: Engine, tmp_path: Path):
    async with MinigptApp().run_test(size=WIDE) as pilot:
        await pilot.press("ctrl+t")
        await wait_until(pilot, lambda: "distinct" in shown(pilot))
        form = pilot.app.screen
        assert isinstance(form, NewRunScreen)
        form.query_one("#start-from", Input).value = str(tmp_path / "[b]nowhere")
        await wait_until(pilot, lambda: "[b]nowhere" in form.problem)
        await pilot.press("f5")
        await pilot.pause()
        assert isinstance(pilot.app.screen, NewRunScreen)
    assert list_runs() == []


@pytest.mark.long
async def test_the_form_asks_for_a_model_where_the_preset_goes_on_with_one(engine: Engine):
    async with MinigptApp().run_test(size=WIDE) as pilot:
        await pilot.press("ctrl+t")
        await wait_until(pilot, lambda: "distinct" in shown(pilot))
        pilot.app.screen.query_one("#preset", Select).value = "finetune"
        await wait_until(pilot, lambda: "name the one to start from" in shown(pilot))


async def test_without_a_model_there_is_nothing_to_train_further(engine: Engine):
    async with MinigptApp().run_test(size=WIDE) as pilot:
        await pilot.press("f6")
        await wait_until(pilot, lambda: bool(notices(pilot)))
        assert ["no model on screen" in sentence for sentence in notices(pilot)] == [True]
        assert isinstance(pilot.app.screen, WriteDesk)


@pytest.mark.long
async def test_what_cannot_be_exported_says_why(engine: Engine, model: Path):
    (model / "model.safetensors").unlink()
    async with MinigptApp(model=look_up(str(model))).run_test(size=WIDE) as pilot:
        app_of(pilot).action_export()
        told = pilot.app._notifications
        await wait_until(pilot, lambda: any(notice.title == "Nothing was exported" for notice in told), 120)
        refusal = list(told)[-1]
        assert refusal.severity == "error"
        assert "minigpt.json" in refusal.message


def test_a_config_is_read_and_never_evaluated(model: Path):
    assert look_up(str(model)).parameters > 0
    (model / "minigpt.json").write_text(json.dumps({"model": {"d_model": "__import__('os')"}}))
    with pytest.raises(Exception, match="d_model"):
        look_up(str(model))
