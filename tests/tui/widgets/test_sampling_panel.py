"""The sampling panel: what it shows, what can be typed, and what it tells of it."""

from __future__ import annotations

import pytest
from minigpt_tui.engine.requests import SamplingSettings
from minigpt_tui.tui.sampling_fields import FOLDED
from minigpt_tui.tui.widgets.sampling_panel import SamplingInput, SamplingPanel
from textual.pilot import Pilot

from ..host import Host
from ..seen import screen_text


class SamplingHost(Host):
    def __init__(self, panel: SamplingPanel) -> None:
        super().__init__(panel)
        self.changes: list[SamplingSettings] = []

    def on_sampling_panel_changed(self, message: SamplingPanel.Changed) -> None:
        self.changes.append(message.settings)


def field(pilot: Pilot, name: str) -> SamplingInput:
    return pilot.app.query_one(f"#{name}", SamplingInput)


async def enter(pilot: Pilot, name: str, value: str, *then: str) -> None:
    field(pilot, name).focus()
    field(pilot, name).value = value
    await pilot.press(*then)
    await pilot.pause()


async def test_sampling_panel_shows_its_settings_in_four_rows_and_the_rest_behind_a_fold():
    settings = SamplingSettings(
        temperature=0.7, top_k=40, top_p=0.9, min_p=0.005, max_tokens=250, seed=7, stop=("END",)
    )
    panel = SamplingPanel(settings)
    async with SamplingHost(panel).run_test(size=(38, 16)) as pilot:
        values = {input.field.name: input.value for input in panel.query(SamplingInput) if input.value}
        assert values == {
            "temperature": "0.70", "top_k": "40", "top_p": "0.90", "min_p": "0.005", "max_tokens": "250", "seed": "7",
            "samples": "1",
        }  # fmt: skip
        assert panel.size.height == 6
        text = screen_text(pilot.app)
        for label in (
            "sampling",
            "temperature 0.70",
            "top-k      40",
            "top-p       0.90",
            "min-p      0.005",
            "repetition  off",
            "max tokens 250",
            "samples     1",
            "seed 7",
            "▸ more (1 set)",
        ):
            assert label in text
        assert "END" not in text


async def test_the_fold_is_reached_by_tab_and_opened_with_enter():
    panel = SamplingPanel()
    async with SamplingHost(panel).run_test(size=(38, 16)) as pilot:
        field(pilot, "seed").focus()
        await pilot.press("tab", "enter")
        assert panel.size.height == 11
        text = screen_text(pilot.app)
        for label in (
            "▾ less",
            "typical-p   off",
            "presence   off",
            "frequency   off",
            "window     all",
            "literal     off",
            "stop",
            "forbid",
        ):
            assert label in text
        await pilot.press(
            "tab",
            *"0.5",
            "tab",
            *"0.1",
            "tab",
            *"0.2",
            "tab",
            *"32",
            "tab",
            *"on",
            "tab",
            *"\\n|x y",
            "tab",
            *"é",
            "tab",
        )
        assert panel.settings == SamplingSettings(
            typical_p=0.5, presence_penalty=0.1, frequency_penalty=0.2, penalty_window=32, stop=("\n", "x y"),
            forbidden=("é",), literal=True,
        )  # fmt: skip
        panel.query_one("#fold").focus()
        await pilot.press("space")
        assert panel.size.height == 6
        assert "▸ more (7 set)" in screen_text(pilot.app)


async def test_up_and_down_switch_literal_text_on_and_off():
    panel = SamplingPanel()
    app = SamplingHost(panel)
    async with app.run_test(size=(38, 16)) as pilot:
        panel.query_one("#fold").focus()
        await pilot.press("enter")
        await enter(pilot, "literal", "", "up", "up", "enter")
        assert panel.settings.literal
        assert field(pilot, "literal").value == "on"
        await pilot.press("down")
        assert not panel.settings.literal
        assert [change.literal for change in app.changes] == [True, False]
        await enter(pilot, "literal", "maybe", "enter")
        assert "literal must be on or off, not" in screen_text(pilot.app)
        assert field(pilot, "literal").value == ""


async def test_leaving_a_field_keeps_what_it_cannot_show_in_two_digits():
    settings = SamplingSettings(min_p=0.001, top_p=0.995)
    panel = SamplingPanel(settings)
    app = SamplingHost(panel)
    async with app.run_test(size=(38, 10)) as pilot:
        for name in ("min-p", "top-p"):
            field(pilot, name).focus()
            await pilot.press("tab")
        assert panel.settings == settings
        assert app.changes == []


@pytest.mark.parametrize(
    "texts",
    [(), ("END",), ("\n\n", "a|b", "back\\slash", "\\n"), ("\x1b[0m", "\u2028", "é🙂", " a "), ("\U0010ffff", "\x85")],
)
def test_texts_in_a_field_read_back_as_they_are(texts):
    stop = next(setting for setting in FOLDED if setting.name == "stop")
    assert stop.text(texts).isprintable()
    assert stop.value(stop.text(texts)) == texts


@pytest.mark.parametrize(
    ("typed", "texts"),
    [("|", ()), ("a||b|", ("a", "b")), ("\\", ()), ("a\\", ("a",)), ("\\Uffffffff", ("\\Uffffffff",))],
)
def test_half_typed_texts_are_no_error(typed, texts):
    stop = next(setting for setting in FOLDED if setting.name == "stop")
    assert stop.value(typed) == texts


async def test_what_is_off_says_so():
    async with SamplingHost(SamplingPanel()).run_test(size=(38, 10)) as pilot:
        text = screen_text(pilot.app)
        assert "top-k      off" in text
        assert "top-p       off" in text
        assert "seed random" in text


@pytest.mark.parametrize("leave", ["enter", "tab"])
async def test_enter_and_leaving_take_a_value(leave):
    panel = SamplingPanel()
    app = SamplingHost(panel)
    async with app.run_test(size=(38, 10)) as pilot:
        await enter(pilot, "temperature", "1.25", leave)
        assert app.changes == [SamplingSettings(temperature=1.25)]
        assert panel.settings == app.changes[-1]
        await enter(pilot, "max-tokens", "64", leave)
        await enter(pilot, "seed", "7", leave)
        assert panel.settings == SamplingSettings(temperature=1.25, max_tokens=64, seed=7)
        await enter(pilot, "seed", "", leave)
        assert panel.settings.seed is None
        assert len(app.changes) == 4


async def test_nothing_is_posted_for_half_a_value_or_the_same_one():
    app = SamplingHost(SamplingPanel())
    async with app.run_test(size=(38, 10)) as pilot:
        field(pilot, "max-tokens").focus()
        await pilot.press("9", "9")
        await enter(pilot, "max-tokens", "400", "enter", "tab")
        assert app.changes == []


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("temperature", "500", "temperature must lie between 0 and 100"),
        ("temperature", "nan", "temperature must lie between 0 and 100"),
        ("temperature", "", "temperature must be a number, not ''"),
        ("top-k", "-1", "top-k must lie between 0 and 1,000,000"),
        ("top-k", "2.5", "top-k must be a whole number, not '2.5'"),
        ("top-p", "0", "top-p must be above 0 and at most 1"),
        ("min-p", "1.5", "min-p must lie between 0 and 1"),
        ("repetition-penalty", "0", "repetition must be above 0 and at most 100"),
        ("max-tokens", "0", "max tokens must lie between 1 and 1,000,000"),
        ("seed", "[b]x", "seed must be a whole number, not '[b]x'"),
        ("samples", "0", "samples must lie between 1 and 256, not 0"),
        ("samples", "", "samples must be a whole number, not ''"),
    ],
)
async def test_a_value_that_cannot_be_is_refused_in_place(name, value, sentence):
    panel = SamplingPanel()
    app = SamplingHost(panel)
    async with app.run_test(size=(38, 12)) as pilot:
        before = field(pilot, name).value
        await enter(pilot, name, value, "enter")
        shown = " ".join(screen_text(pilot.app).replace("│", " ").split())
        assert sentence in shown
        assert field(pilot, name).value == before
        assert panel.settings == SamplingSettings()
        assert app.changes == []
        await enter(pilot, name, before, "enter")
        assert "must" not in screen_text(pilot.app)


async def test_up_and_down_change_by_a_step_and_stop_at_the_end():
    panel = SamplingPanel()
    app = SamplingHost(panel)
    async with app.run_test(size=(38, 10)) as pilot:
        field(pilot, "temperature").focus()
        await pilot.press("up")
        assert panel.settings.temperature == 0.85
        await pilot.press(*["down"] * 18)
        assert panel.settings.temperature == 0
        assert field(pilot, "temperature").value == "0.00"
        field(pilot, "top-p").focus()
        await pilot.press("up", "down")
        assert panel.settings.top_p == 0.95
        field(pilot, "top-k").focus()
        await pilot.press("up", "up", "down", "down", "down")
        assert panel.settings.top_k == 0
        field(pilot, "max-tokens").focus()
        await pilot.press("up")
        assert panel.settings.max_tokens == 450
        field(pilot, "seed").focus()
        await pilot.press("up", "up")
        assert panel.settings.seed == 1
        assert app.changes[-1] == panel.settings
        assert "must" not in screen_text(app)


async def test_a_step_starts_from_what_is_written():
    panel = SamplingPanel()
    async with SamplingHost(panel).run_test(size=(38, 10)) as pilot:
        await enter(pilot, "top-k", "40", "up")
        assert panel.settings.top_k == 41


async def test_settings_from_outside_are_shown_and_posted_by_nobody():
    panel = SamplingPanel()
    app = SamplingHost(panel)
    async with app.run_test(size=(38, 10)) as pilot:
        panel.settings = SamplingSettings(temperature=0.1, stop=("END",))
        await pilot.pause()
        assert field(pilot, "temperature").value == "0.10"
        assert app.changes == []
        await enter(pilot, "top-k", "5", "enter")
        assert app.changes == [SamplingSettings(temperature=0.1, top_k=5, stop=("END",))]


# --- sets -----------------------------------------------------------------------------------------


class SetsHost(SamplingHost):
    """As the write desk: keeps the person's own sets."""

    def __init__(self, settings: SamplingSettings | None = None) -> None:
        self.own: dict[str, SamplingSettings] = {}
        self.panel = SamplingPanel(settings, own_sets=lambda: self.own)
        super().__init__(self.panel)

    def on_sampling_panel_set_saved(self, message: SamplingPanel.SetSaved) -> None:
        self.own[message.name] = message.settings
        self.panel.show_set()

    def on_sampling_panel_set_deleted(self, message: SamplingPanel.SetDeleted) -> None:
        del self.own[message.name]
        self.panel.show_set()


async def test_left_and_right_choose_a_set_which_leaves_length_and_seed_alone():
    app = SetsHost(SamplingSettings(max_tokens=7, seed=3))
    async with app.run_test(size=(38, 16)) as pilot:
        assert "set         ‹ balanced ›" in screen_text(app)
        app.panel.query_one("#sampling-set").focus()
        await pilot.press("right")
        assert "‹ precise ›" in screen_text(app)
        assert app.panel.settings == SamplingSettings(temperature=0.5, top_p=0.9, max_tokens=7, seed=3)
        assert field(pilot, "top-p").value == "0.90"
        await pilot.press("left", "left")
        assert app.panel.settings == SamplingSettings(temperature=1.0, max_tokens=7, seed=3)
        await pilot.press("left")  # round to the last
        assert "‹ wild ›" in screen_text(app)
        await pilot.click("#sampling-set", offset=(20, 0))
        assert "‹ neutral ›" in screen_text(app)
        await pilot.click("#sampling-set", offset=(12, 0))
        assert "‹ wild ›" in screen_text(app)
        assert [change.temperature for change in app.changes] == [0.5, 0.8, 1.0, 1.3, 1.0, 1.3]


async def test_one_key_takes_the_value_of_the_set_again_and_one_all_of_its_values():
    app = SetsHost()
    async with app.run_test(size=(38, 16)) as pilot:
        await enter(pilot, "temperature", "1.5", "enter")
        await enter(pilot, "top-k", "9", "enter")
        assert "‹ balanced * ›" in screen_text(app)
        await pilot.press("=")
        assert app.panel.settings == SamplingSettings(temperature=1.5)
        assert field(pilot, "top-k").value == ""
        app.panel.query_one("#sampling-set").focus()
        await pilot.press("enter")
        assert app.panel.settings == SamplingSettings()
        assert "‹ balanced ›" in screen_text(app)


async def test_values_are_saved_as_a_set_of_ones_own_and_deleted_again():
    app = SetsHost()
    async with app.run_test(size=(38, 16)) as pilot:
        await enter(pilot, "temperature", "1.1", "enter")
        line = app.panel.query_one("#sampling-set")
        line.focus()
        await pilot.press("s", *"greedy", "enter")
        assert "is built in" in screen_text(app)
        await pilot.press(*"ish", "enter")
        assert app.own == {"greedyish": SamplingSettings(temperature=1.1)}
        assert "‹ greedyish ›" in screen_text(app)
        assert line.has_focus
        await pilot.press("right", "left")
        assert app.panel.settings.temperature == 1.1
        await pilot.press("s", *"no", "escape")  # given up
        assert line.has_focus
        await pilot.press("d")
        assert app.own == {}
        assert app.panel.settings.temperature == 1.1
        assert "‹ none ›" in screen_text(app)
        await pilot.press("right", "d")
        assert "is built in and" in " ".join(screen_text(app).split())
