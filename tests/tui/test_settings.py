from dataclasses import asdict
from pathlib import Path

import pytest
from minigpt_tui.engine.requests import SamplingSettings
from minigpt_tui.tui.settings import (
    HISTORY_LENGTH,
    Settings,
    load_history,
    load_settings,
    save_history,
    save_settings,
    settings_path,
)

EVERYTHING = SamplingSettings(
    temperature=1.25, top_k=40, top_p=0.9, min_p=0.05, typical_p=0.95, repetition_penalty=1.1, presence_penalty=-0.5,
    frequency_penalty=0.25, penalty_window=64, max_tokens=100, seed=7, stop=("\n\n", 'quote " and \\', "tab\t\x7f☃"),
    forbidden=("\u2028", "[sampling]"),
)  # fmt: skip


def written(text: str) -> None:
    settings_path().parent.mkdir(parents=True, exist_ok=True)
    settings_path().write_text(text)


def test_without_a_file_there_are_defaults_and_no_notices(home: Path):
    assert load_settings() == (Settings(), [])


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings("minigpt-light", False, True, EVERYTHING),
    ],
)
def test_what_is_saved_is_loaded(home: Path, settings: Settings):
    save_settings(settings)
    assert load_settings() == (settings, [])


def test_no_setting_is_left_out_above():
    default, tried = asdict(SamplingSettings()), asdict(EVERYTHING)
    assert not [name for name in default if default[name] == tried[name]]


def test_bad_values_fall_back_one_by_one_and_say_so(home: Path):
    written('theme = 5\npanels = false\ncolour = "red"\n[sampling]\ntemperature = -1\ntop_k = 12\ntop_p = "much"\n')
    settings, notices = load_settings()
    assert settings == Settings(panels=False, sampling=SamplingSettings(top_k=12))
    named = ["sampling.temperature", "sampling.top_p", "theme", "colour"]
    assert [name for name, notice in zip(named, notices, strict=True) if f"'{name}'" in notice] == named


@pytest.mark.parametrize("text", ["theme = ", "\x00", "sampling = 3\n"])
def test_a_damaged_file_is_one_notice(home: Path, text: str):
    written(text)
    settings, notices = load_settings()
    assert settings == Settings()
    assert len(notices) == 1
    assert str(settings_path()) in notices[0]


def test_history_keeps_the_newest_prompts_and_survives_damage(home: Path):
    prompts = [f"prompt {number}\nwith a line" for number in range(HISTORY_LENGTH + 5)]
    save_history(prompts)
    assert load_history() == prompts[5:]
    path = home / "state" / "history.jsonl"
    path.write_text(path.read_text() + '{"not": "a prompt"}\nhalf a li')
    assert load_history() == prompts[5 + 2 :]
