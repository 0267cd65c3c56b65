"""What a machine was measured at: kept by host, joined with what was measured before on the same device."""

from dataclasses import replace
from pathlib import Path

import pytest
from minigpt_tui.engine.machine_speed import (
    MachineSpeed,
    PresetSpeed,
    budget_seconds,
    keep_speed,
    read_speed,
    speed_path,
)
from minigpt_tui.engine.results import DeviceReport
from minigpt_tui.models.recipe import Budget

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
