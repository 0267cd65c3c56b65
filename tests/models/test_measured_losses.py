"""The losses that presets are said to end at, against the documents that they were measured in."""

from pathlib import Path

import pytest
from minigpt_tui.models.presets import PRESETS
from minigpt_tui.models.presets.measured import MEASURED, MeasuredLoss, measured_loss

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("measured", MEASURED, ids=lambda one: f"{one.preset}-{one.corpus}")
def test_each_loss_stands_in_the_document_that_it_names(measured: MeasuredLoss):
    lines = (ROOT / measured.where).read_text().splitlines()
    assert any(f"`{measured.preset}`" in line and f"{measured.loss}" in line for line in lines) or any(
        line.startswith(("| `tales`", "| Tiny")) and f"{measured.loss}" in line for line in lines
    )
    assert measured_loss(PRESETS[measured.preset], measured.corpus) == measured


@pytest.mark.parametrize(
    "changes",
    [{"n_layer": 4}, {"learning_rate": 0.01}, {"batch_size": 16}, {"tokenizer": "byte"}, {"residual_dropout": 0.1},
     {"evaluation": "random"}, {"validation_fraction": 0.2}, {"average": 0.0}],
    ids=lambda changes: next(iter(changes)),
)  # fmt: skip
def test_nothing_is_said_of_a_recipe_that_learns_otherwise(changes: dict[str, object]):
    assert measured_loss(PRESETS["quick"].overridden(**changes), "tales") is None


def test_what_hardly_changes_the_end_does_not_matter():
    recipe = PRESETS["quick"].overridden(seed=7, threads=1, checkpoint_interval=50, sample_prompt="ROMEO:")
    assert measured_loss(recipe, "tales") == measured_loss(PRESETS["quick"], "tales")


def test_nothing_is_said_of_another_text_or_preset():
    assert measured_loss(PRESETS["quick"], "/home/me/novel.txt") is None
    assert measured_loss(PRESETS["quick"], "tales:10MB") is None
    assert measured_loss(PRESETS["modern-124m"], "tinyshakespeare") is None
