"""`--set NAME`: a named set of sampling settings, which the other options change."""

from __future__ import annotations

from pathlib import Path

import pytest
from minigpt_tui.engine.requests import SamplingSettings
from minigpt_tui.tui.cli.main import build_parser
from minigpt_tui.tui.cli.options import sampling_settings
from minigpt_tui.tui.settings import Settings, save_settings


def settings(*words: str) -> SamplingSettings:
    return sampling_settings(build_parser(["generate"]).parse_args(["generate", *words]))


@pytest.fixture(autouse=True)
def own(home: Path) -> None:
    save_settings(Settings(sampling_sets={"calm": SamplingSettings(temperature=0.3, top_k=5, max_tokens=9)}))


def test_a_set_is_built_in_or_ones_own_and_decides_no_length():
    assert settings() == SamplingSettings()
    assert settings("--set", "greedy") == SamplingSettings(temperature=0)
    assert settings("--set", "calm") == SamplingSettings(temperature=0.3, top_k=5)


def test_other_options_change_it():
    given = settings("--temperature", "0.4", "--set", "calm", "--seed", "7")
    assert given == SamplingSettings(temperature=0.4, top_k=5, seed=7)


def test_one_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(ValueError, match=r"no set of sampling settings 'clam'; there are neutral, .*wild, calm"):
        settings("--set", "clam")
