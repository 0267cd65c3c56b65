"""The train desk says what the curves of the run on screen mean; a box explains each figure and each field."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest
from minigpt_tui.data.storage.typed_json import dumps
from minigpt_tui.engine.diagnosis.figures import FIGURES
from minigpt_tui.engine.events import TRAINING_EVENTS, Step
from minigpt_tui.engine.runs import Run, RunStatus
from minigpt_tui.models import config
from minigpt_tui.models import recipe as recipes
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.effects import EFFECTS, explained
from minigpt_tui.models.recipe import Recipe, TrainingConfig
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.recipe_fields import FIELDS
from minigpt_tui.tui.screens.explanations import ExplanationsBox
from minigpt_tui.tui.screens.new_run import NewRunScreen
from minigpt_tui.tui.screens.train import TrainDesk
from minigpt_tui.tui.widgets.meaning_line import MeaningLine
from minigpt_tui.tui.widgets.recipe_fields_view import RecipeFieldsView
from minigpt_tui.tui.widgets.recipe_row import RecipeRow, RowState
from textual.widgets import OptionList, Static

from ..runs_on_disk import make_run
from ..scripted_engine import ScriptedEngine
from ..seen import screen_text
from ..waiting import wait_until

Engine = type[ScriptedEngine]
RECORDED = Path(__file__).parents[2] / "engine" / "diagnosis" / "recorded"
NOT_FIELDS = {"name", "description", "source", "model", "training"}


def recorded_run(name: str) -> Run:
    """A run folder with what was recorded."""
    run = make_run(name, steps=10)
    manifest, *lines = (RECORDED / f"{name}.jsonl").read_text().splitlines()
    (run.path / "run.json").write_text(manifest)
    run.metrics_path.write_text("\n".join(lines) + "\n")
    steps = [event for event in map(TRAINING_EVENTS.decode, lines) if isinstance(event, Step)]
    status = RunStatus("finished", 1, "here", steps[-1].step, steps[-1].total_steps, 0.0)
    (run.path / "status.json").write_text(dumps(status))
    return run


@asynccontextmanager
async def opened(size: tuple[int, int] = (120, 40)):
    async with MinigptApp().run_test(size=size) as pilot:
        await pilot.press("ctrl+r")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, TrainDesk))
        yield pilot


@pytest.mark.parametrize(
    "size",
    [
        pytest.param((60, 20), id="60x20", marks=pytest.mark.long),
        pytest.param((80, 24), id="80x24"),
        pytest.param((120, 40), id="120x40", marks=pytest.mark.long),
    ],
)
async def test_one_line_says_what_it_means(engine: Engine, size: tuple[int, int]):
    recorded_run("by-heart")
    async with opened(size) as pilot:
        await wait_until(pilot, lambda: "learning by heart since step 44" in screen_text(pilot.app))
        line = pilot.app.screen.query_one(MeaningLine)
        assert line.region.height == 1
        assert "w says more" in screen_text(pilot.app) or size[0] == 120


async def test_nothing_is_said_where_no_rule_is_sure(engine: Engine):
    make_run("play-01", steps=20)
    async with opened() as pilot:
        await pilot.pause(1.2)
        assert str(pilot.app.screen.query_one(MeaningLine).content) == ""
        await pilot.press("w")
        await wait_until(pilot, lambda: "No rule is sure of anything" in screen_text(pilot.app))


async def test_the_box_explains_findings_figures_and_fields(engine: Engine):
    recorded_run("by-heart")
    async with opened((80, 24)) as pilot:
        await wait_until(pilot, lambda: "learning by heart" in screen_text(pilot.app))
        await pilot.press("w")
        await wait_until(pilot, lambda: "what the curve says" in screen_text(pilot.app))
        assert isinstance(pilot.app.screen, ExplanationsBox)
        assert "more text, or a dropout of 0.1, would help a next run." in str(pilot.app.screen.about.content)
        options = pilot.app.screen.query_one(OptionList)
        names = [str(option.prompt).split()[0] for option in options.options]
        for name, words in (("val", "held-out"), ("n_kv_head", "Key/value"), ("schedule", "constant")):
            options.highlighted = names.index(name)
            await wait_until(pilot, lambda words=words: words in screen_text(pilot.app))
        await pilot.press("escape")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, TrainDesk))


def test_every_field_and_every_choice_explains_itself():
    names = {f.name for part in (ModelConfig, TrainingConfig, Recipe) for f in fields(part)} - NOT_FIELDS
    assert names <= EFFECTS.keys()
    kinds = config.CHOICES | {
        "optimizer": recipes.Optimizer, "schedule": recipes.Schedule, "data_order": recipes.DataOrder,
        "evaluation": recipes.Protocol, "tokenizer": recipes.TokenizerKind, "cuda_graph": recipes.AutoOrOff,
        "unknown_characters": recipes.UnknownCharacters, "compile": recipes.Switch, "dtype": recipes.DTypeChoice,
    }  # fmt: skip
    for name, kind in kinds.items():
        assert set(get_args(kind)) == EFFECTS[name].choices.keys(), name
    for part in (ModelConfig(), TrainingConfig()):
        for field in fields(part):
            value = getattr(part, field.name)
            assert len(explained(field.name, value)) >= 2, field.name


def test_every_figure_says_what_it_is_and_how_it_is_read():
    assert all(figure.what.endswith(".") and figure.reading.endswith(".") for figure in FIGURES.values())


async def test_a_field_of_the_form_says_what_its_value_does_and_what_more_of_it_would(engine: Engine):
    async with MinigptApp().run_test(size=(120, 40)) as pilot:
        await pilot.press("ctrl+t")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, NewRunScreen))
        await wait_until(pilot, lambda: bool(pilot.app.screen.query(RecipeFieldsView)))
        row = RecipeRow(FIELDS["schedule"], RowState("cosine", "linear"))
        await pilot.app.screen.query_one(RecipeFieldsView).mount(row)
        about = str(row.query_one(".about", Static).content)
        assert "Now: Falls in half a wave over the whole budget" in about
        assert "constant: The same to the end" in about
        row.show(RowState("what", "linear", "it must be one of these"))
        assert str(row.query_one(".about", Static).content) == FIELDS["schedule"].description
