"""The samples of a run by itself: keys, mouse, and text that no terminal must obey."""

from __future__ import annotations

from pathlib import Path

import pytest
from minigpt_tui.engine.events import TRAINING_EVENTS, Sample
from minigpt_tui.engine.sample_index import SampleIndex
from minigpt_tui.tui.screens.samples import SamplesBox
from minigpt_tui.tui.widgets.samples_panel import SamplesPanel

from ..host import Host
from ..seen import screen_text


@pytest.fixture
def index(tmp_path: Path) -> SampleIndex:
    """Ten steps of two prompts."""
    index = SampleIndex(tmp_path / "metrics.jsonl")
    write(index, *(Sample(step, prompt, f"{prompt}{step}.", i) for step in range(100, 1100, 100)
                   for i, prompt in enumerate(("ROMEO:", "[b]JULIET[/b]"))))  # fmt: skip
    return index


def write(index: SampleIndex, *samples: Sample) -> None:
    with index.path.open("a") as file:
        file.writelines(map(TRAINING_EVENTS.encode, samples))
    index.read(10)


async def test_keys_go_through_the_steps_and_the_prompts(index: SampleIndex):
    panel = SamplesPanel()
    async with Host(panel).run_test(size=(50, 14)) as pilot:
        panel.show(index)
        panel.focus()
        for key, step, prompt in (
            ("left", 900, "ROMEO:"), ("pageup", 100, "ROMEO:"), ("left", 100, "ROMEO:"), ("right", 200, "ROMEO:"),
            ("full_stop", 200, "[b]JULIET[/b]"), ("end", 1000, "[b]JULIET[/b]"), ("comma", 1000, "ROMEO:"),
            ("home", 100, "ROMEO:"),
        ):  # fmt: skip
            await pilot.press(key)
            await pilot.pause()
            seen = screen_text(pilot.app)
            assert f"samples · step {step:,}" in seen, key
            assert f"{prompt}{prompt}{step}." in seen, "the prompt, and what follows it, as it is"


async def test_at_the_last_step_it_follows_and_elsewhere_it_stays(index: SampleIndex):
    panel = SamplesPanel()
    async with Host(panel).run_test(size=(50, 14)) as pilot:
        panel.show(index)
        write(index, Sample(1100, "ROMEO:", "new"))
        panel.show(index)
        await pilot.pause()
        assert "step 1,100" in screen_text(pilot.app)
        panel.action_step(-1)
        write(index, Sample(1200, "ROMEO:", "newest"))
        panel.show(index)
        await pilot.pause()
        assert "step 1,000" in screen_text(pilot.app)


async def test_the_mouse_goes_to_a_place_and_drags(index: SampleIndex):
    panel = SamplesPanel()
    async with Host(panel).run_test(size=(50, 14)) as pilot:
        panel.show(index)
        await pilot.pause()
        await pilot.click("StepSlider", offset=(0, 0))
        assert panel.place[1] == 8
        await pilot.click("StepSlider", offset=(2, 0))
        assert panel.place[1] == 0
        await pilot.mouse_down("StepSlider", offset=(2, 0))
        await pilot.hover("StepSlider", offset=(22, 0))
        await pilot.mouse_up("StepSlider", offset=(22, 0))
        assert panel.place[1] in (4, 5)


async def test_what_a_model_writes_steers_no_terminal(index: SampleIndex):
    panel = SamplesPanel()
    async with Host(panel).run_test(size=(50, 14)) as pilot:
        write(index, Sample(2000, "\x1b]0;x\x07[red]", "[link=x]\x1b[2J\u202eabc\tdef\r[/red]"))
        panel.show(index)
        panel.focus()
        await pilot.press("end")
        await pilot.pause()
        seen = screen_text(pilot.app)
        assert "step 2,000" in seen
        assert "[link=x]␛[2J" in seen
        assert not set("\x1b\x07\u202e\r\t") & set(seen)


async def test_two_steps_stand_side_by_side(index: SampleIndex):
    panel = SamplesPanel()
    async with Host(panel).run_test(size=(100, 20)) as pilot:
        panel.show(index)
        pilot.app.push_screen(SamplesBox(index, *panel.place))
        await pilot.pause()
        assert "ROMEO:ROMEO:100." in screen_text(pilot.app)
        assert "ROMEO:ROMEO:1000." in screen_text(pilot.app)
        await pilot.press("right", "tab", "left")
        await pilot.pause()
        assert "ROMEO:ROMEO:200." in screen_text(pilot.app)
        assert "ROMEO:ROMEO:900." in screen_text(pilot.app)
        await pilot.press("escape")
        assert not isinstance(pilot.app.screen, SamplesBox)


async def test_without_samples_it_says_what_will_be_here(tmp_path: Path):
    panel = SamplesPanel()
    async with Host(panel).run_test(size=(50, 14)) as pilot:
        for nothing in (None, SampleIndex(tmp_path / "metrics.jsonl")):
            panel.show(nothing)
            panel.focus()
            await pilot.press("left", "comma", "enter", "end")
            assert "writes here at each evaluation" in screen_text(pilot.app)
