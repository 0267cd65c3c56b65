"""What a machine was measured at: kept by host, joined with what was measured before on the same device."""

from dataclasses import replace
from pathlib import Path

import pytest
from minigpt_tui.engine.machine_speed import (
    MachineSpeed,
    PresetSpeed,
    RecipeSpeed,
    budget_seconds,
    keep_speed,
    pace_of,
    read_speed,
    speed_path,
)
from minigpt_tui.engine.results import DeviceReport
from minigpt_tui.models.presets import PRESETS
from minigpt_tui.models.recipe import Budget, Recipe

DEVICE = DeviceReport("2.13", ("cpu",), "cpu", "a CPU", "bfloat16", "float32", "cpu is the best device here", 2, None)
QUICK = PresetSpeed("quick", 308_256, 8000.0, 300.0, 32, 32, 150.0)
UNMEASURED = PresetSpeed("gpt2", 124_000_000, note="does not fit into the memory")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path))
    return tmp_path


def measured(*presets: PresetSpeed, device: DeviceReport = DEVICE) -> MachineSpeed:
    return MachineSpeed("host", "a CPU", device, "2026-01-01T10:00+00:00", presets)


def test_what_was_kept_is_read_on_the_same_host_only() -> None:
    assert read_speed("host") is None
    keep_speed(measured(QUICK, UNMEASURED))
    assert read_speed("host") == measured(QUICK, UNMEASURED)
    assert read_speed("other") is None


def test_presets_that_are_measured_later_stand_beside_the_earlier_ones() -> None:
    keep_speed(measured(QUICK))
    laptop = replace(QUICK, preset="laptop")
    assert keep_speed(measured(laptop, UNMEASURED)).presets == (QUICK, laptop, UNMEASURED)
    faster = replace(QUICK, training=9000.0)
    assert keep_speed(measured(faster)).of("quick") == faster


def test_a_preset_that_was_not_measured_this_time_keeps_its_figures() -> None:
    keep_speed(measured(QUICK))
    kept = keep_speed(measured(replace(QUICK, training=None, generation=None, note="give more --seconds")))
    assert kept.presets == (QUICK,)


def test_figures_of_another_device_or_torch_are_forgotten() -> None:
    keep_speed(measured(QUICK))
    other = replace(DEVICE, torch="3.0")
    assert keep_speed(measured(UNMEASURED, device=other)).presets == (UNMEASURED,)


def test_the_reason_for_a_device_which_is_timed_anew_makes_it_no_other() -> None:
    keep_speed(measured(QUICK))
    assert keep_speed(measured(UNMEASURED, device=replace(DEVICE, reason="by 1.3 times"))).of("quick") == QUICK


def test_a_damaged_file_is_as_good_as_none() -> None:
    keep_speed(measured(QUICK))
    speed_path("host").write_text('{"machine": "host"}')
    assert read_speed("host") is None


def test_a_host_whose_name_is_a_path_writes_no_other_folder(home: Path) -> None:
    assert speed_path("../evil").parent == home / "state"


@pytest.mark.parametrize(
    ("budget", "seconds"),
    [("600 steps", 600 * 2048 / 1000), ("3 minutes", 180), ("2 epochs", 2000), ("5000 tokens", 5)],
)
def test_a_budget_at_a_thousand_tokens_a_second(budget: str, seconds: float) -> None:
    assert budget_seconds(Budget.parse(budget), 2048, 1000.0) == pytest.approx(seconds)


def recipe(**changes: object) -> Recipe:
    return PRESETS["quick"].overridden(vocab_size=62, **changes)


def test_a_preset_that_was_measured_says_how_fast_it_trains_with_about_its_vocabulary():
    quick = recipe()
    pace = pace_of(quick.model, quick.training, measured(QUICK))
    assert pace is not None
    assert (pace.measured_with, pace.is_lower_bound) == ("", False)
    assert pace.tokens_per_second == pytest.approx(8000, rel=0.05)


def test_another_shape_is_scaled_by_its_computing_and_says_from_what():
    deep = recipe(n_layer=6)
    pace = pace_of(deep.model, deep.training, measured(QUICK))
    assert pace is not None
    assert pace.measured_with == "quick"
    assert 3500 < pace.tokens_per_second < 5000


def test_nothing_is_said_from_far_away_or_from_nothing():
    large = PRESETS["modern-124m"].overridden(vocab_size=50257)
    assert pace_of(large.model, large.training, measured(QUICK)) is None
    assert pace_of(large.model, large.training, measured(UNMEASURED)) is None
    assert pace_of(large.model, large.training, None) is None


def test_a_recipe_that_was_measured_itself_comes_first_and_stays_beside_the_presets():
    deep = recipe(n_layer=6)
    keep_speed(measured(QUICK))
    kept = keep_speed(
        replace(measured(), recipes=(RecipeSpeed(deep.model, deep.training, 1234.0, deep.training.batch_size),))
    )
    assert kept.presets == (QUICK,)
    known = read_speed("host")
    pace = pace_of(deep.model, deep.training, known)
    assert pace is not None
    assert (pace.tokens_per_second, pace.measured_with) == (1234.0, "")
    for changed in (deep.overridden(batch_size=4), deep.overridden(optimizer="adamw"), deep.overridden(n_layer=7)):
        other = pace_of(changed.model, changed.training, known)
        assert other is not None
        assert other.measured_with == "quick"
    longer = deep.overridden(budget=Budget(9), seed=7, learning_rate=0.01, weight_decay=0.3)
    assert pace_of(longer.model, longer.training, known) == pace
    for _ in range(40):
        kept = keep_speed(replace(measured(), recipes=kept.recipes[:1]))
    assert len(kept.recipes) == 30
