"""The speed of one training, measured by the real process and kept."""

import platform
from pathlib import Path

import pytest
from minigpt_tui.data.storage.errors import UserError
from minigpt_tui.engine.machine_speed import pace_of, read_speed
from minigpt_tui.models.presets import PRESETS
from minigpt_tui.tui import speed_probe


async def test_a_training_is_measured_and_what_was_measured_is_kept(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(speed_probe, "SECONDS", 0.3)
    recipe = PRESETS["quick"].overridden(n_layer=2, vocab_size=62, sample_prompt="a\n" * 100)
    speed = await speed_probe.measure(recipe.model, recipe.training)
    assert speed == read_speed(platform.node())
    pace = pace_of(recipe.model, recipe.training, speed)
    assert pace is not None
    assert pace.measured_with == ""
    assert pace.tokens_per_second > 100


async def test_a_device_that_is_not_there_is_said_to_be(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(speed_probe, "SECONDS", 0.3)
    recipe = PRESETS["quick"].overridden(vocab_size=62, device="xpu:7")
    with pytest.raises(UserError, match=r"could not be measured: .*'xpu:7' is not available"):
        await speed_probe.measure(recipe.model, recipe.training)
    assert read_speed(platform.node()) is None
