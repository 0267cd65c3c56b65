"""New runs that take something from another one: its recipe, its weights; and runs that go on for longer."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from minigpt_tui.data.storage.typed_json import dumps
from minigpt_tui.engine import launch
from minigpt_tui.engine.runs import list_runs
from minigpt_tui.models.presets import PRESETS, fine_tuning
from minigpt_tui.models.recipe import Budget
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.found_models import look_up
from minigpt_tui.tui.screens.new_run import NewRunScreen
from minigpt_tui.tui.screens.train import TrainDesk
from textual.pilot import Pilot
from textual.widgets import Input

from ..runs_on_disk import make_run, make_run_on, write_model
from ..scripted_engine import ScriptedEngine
from ..seen import screen_text
from ..waiting import wait_until

Engine = type[ScriptedEngine]


def form(pilot: Pilot[Any]) -> NewRunScreen:
    assert isinstance(pilot.app.screen, NewRunScreen)
    return pilot.app.screen


def sentences_on(pilot: Pilot[Any]) -> str:
    """What stands on the screen, however it is wrapped there."""
    return " ".join(screen_text(pilot.app).replace("│", " ").split())


@pytest.mark.parametrize(
    "size", [pytest.param((80, 24), id="80x24"), pytest.param((120, 40), id="120x40", marks=pytest.mark.long)]
)
async def test_a_run_is_cloned_from_the_train_desk(engine: Engine, tmp_path: Path, size: tuple[int, int]):
    run = make_run_on(tmp_path / "play [b].txt", "ROMEO:\nAy.\n\nJULIET:\nO Romeo!\n\n" * 200)
    made = run.manifest()
    training = replace(made.training, budget=Budget.parse("10 s"), seed=7, sample_prompts=("a", "b"), sample_prompt="a")
    model = replace(made.model, n_layer=3)
    (run.path / "run.json").write_text(dumps(replace(made, model=model, training=training)))
    async with MinigptApp().run_test(size=size) as pilot:
        await pilot.press("ctrl+r")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, TrainDesk) and "play" in screen_text(pilot.app))
        await pilot.press("N")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, NewRunScreen))
        await wait_until(pilot, lambda: form(pilot).text.corpus is not None)
        assert form(pilot).preset_select.value == made.preset
        assert form(pilot).query_one("#corpus-name", Input).value == made.corpus.spec
        assert form(pilot).problem == ""
        assert "--n-layer 3" in form(pilot).command.line
        await pilot.press("f5")
        await wait_until(pilot, lambda: len(list_runs()) == 2)
    (new,) = [other.manifest() for other in list_runs() if other != run]
    assert (new.training, new.corpus.fingerprint) == (training, made.corpus.fingerprint)
    assert replace(new.model, vocab_size=0) == replace(model, vocab_size=0)


async def test_the_clone_of_a_fine_tuning_begins_with_the_same_model(engine: Engine, tmp_path: Path):
    model = write_model(tmp_path / "model")
    text = tmp_path / "text.txt"
    text.write_text("a plain line of letters\n" * 300)
    run = make_run_on(text, text.read_text())
    made = run.manifest()
    found = look_up(str(model))
    training = replace(fine_tuning(PRESETS["finetune"], found.config).training, learning_rate=0.00123)
    cloned = replace(made, preset="quick", model=found.config, training=training, start_from=str(model))
    (run.path / "run.json").write_text(dumps(cloned))
    async with MinigptApp().run_test(size=(120, 40)) as pilot:
        await pilot.press("ctrl+r")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, TrainDesk) and "play" in screen_text(pilot.app))
        await pilot.press("N")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, NewRunScreen))
        await wait_until(pilot, lambda: form(pilot).start_from.found is not None)
        await wait_until(pilot, lambda: "--learning-rate 0.00123" in form(pilot).command.line)
        assert form(pilot).preset_select.value == "quick"
        assert f"--from {model}" in form(pilot).command.line
        await pilot.press("f5")
        await wait_until(pilot, lambda: len(list_runs()) == 2)
    (new,) = [other.manifest() for other in list_runs() if other != run]
    assert (new.training, new.start_from, new.model) == (training, str(model), found.config)


async def test_a_clone_says_where_its_text_has_changed(engine: Engine, tmp_path: Path):
    run = make_run_on(tmp_path / "play.txt", "one and two\n" * 300)
    (tmp_path / "play.txt").write_text("one and three\n" * 300)
    async with MinigptApp().run_test(size=(120, 40)) as pilot:
        await pilot.app.push_screen(NewRunScreen(pilot.app.bridge, like=run.manifest()))  # pyright: ignore
        await wait_until(pilot, lambda: "has changed since that run" in screen_text(pilot.app), 20)


@pytest.mark.parametrize(
    "size", [pytest.param((80, 24), id="80x24"), pytest.param((120, 40), id="120x40", marks=pytest.mark.long)]
)
async def test_a_run_is_continued_with_a_longer_budget(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
):
    started: list[dict[str, Any]] = []
    monkeypatch.setattr(launch, "start_training", lambda run, **options: started.append(options))
    make_run("play-01")
    async with MinigptApp().run_test(size=size) as pilot:
        await pilot.press("ctrl+r")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, TrainDesk) and "play" in screen_text(pilot.app))
        await pilot.press("C")
        await wait_until(pilot, lambda: "How long is the whole run to be?" in sentences_on(pilot))
        await pilot.press("ctrl+u", *"200", "enter")
        await wait_until(pilot, lambda: "has done 200 steps already" in sentences_on(pilot))
        await pilot.press("ctrl+u", *"soon", "enter")
        await wait_until(pilot, lambda: "'soon' is not understood" in sentences_on(pilot))
        assert started == []
        await pilot.press("ctrl+u", *"900", "enter")
        await wait_until(pilot, lambda: bool(started))
    assert started[0]["budget"] == "900 steps"
    assert started[0]["resume"]


async def test_a_fine_tuning_begins_with_any_checkpoint_of_a_run(engine: Engine):
    run = make_run("play-01")
    shutil.rmtree(run.checkpoints / "last")
    for name in ("last", "step-100"):
        write_model(run.checkpoints / name)
    async with MinigptApp().run_test(size=(80, 24)) as pilot:
        await pilot.press("ctrl+r")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, TrainDesk) and "play" in screen_text(pilot.app))
        await pilot.press("F")
        await wait_until(pilot, lambda: "train further from" in screen_text(pilot.app))
        await pilot.press("down", "enter")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, NewRunScreen))
        await wait_until(pilot, lambda: form(pilot).start_from.found is not None)
        assert form(pilot).start_from.value == str(run.checkpoints / "step-100")
        await wait_until(pilot, lambda: form(pilot).preset_select.value == "finetune")


async def test_what_a_clone_needs_is_in_the_palette(engine: Engine):
    make_run("play-01")
    async with MinigptApp().run_test(size=(120, 40)) as pilot:
        await pilot.press("ctrl+r")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, TrainDesk))
        titles = [command.title for command in pilot.app.get_system_commands(pilot.app.screen)]
        for words in ("New run like this one", "Continue with more budget", "Fine-tune from a checkpoint"):
            assert any(title.startswith(words) for title in titles)
