"""The settings screen by its keys, and what it leaves in settings.toml."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest
from minigpt_tui.engine.requests import SamplingSettings
from minigpt_tui.tui import keys
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.keymap import ACTIONS, BY_ID
from minigpt_tui.tui.screens.key_box import KeyBox
from minigpt_tui.tui.screens.new_run import NewRunScreen
from minigpt_tui.tui.screens.settings import SettingsScreen
from minigpt_tui.tui.screens.write import WriteDesk
from minigpt_tui.tui.settings import Settings, load_settings, save_settings, settings_path
from minigpt_tui.tui.widgets.setting_row import SettingRow
from textual.pilot import Pilot
from textual.widgets import Tabs

from ..scripted_engine import ScriptedEngine
from ..seen import notices, screen_text
from ..waiting import wait_until

FILE = '# mine\n\ntheme = "minigpt-light"  # bright\nmood = "calm"\n\n[sampling]\ntop_k = 40  # few\n'
Size = tuple[int, int]


@pytest.fixture(autouse=True)
def usual_keys() -> Iterator[None]:
    yield
    keys.use({})


@pytest.fixture
def by_hand(engine: type[ScriptedEngine]) -> None:
    settings_path().parent.mkdir(parents=True)
    settings_path().write_text(FILE)


async def open_part(pilot: Pilot[Any], name: str) -> None:
    await pilot.press("alt+s")
    await wait_until(pilot, lambda: isinstance(pilot.app.screen, SettingsScreen) and bool(pilot.app.screen.query(Tabs)))
    pilot.app.screen.query_one(Tabs).active = name
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


def rows(pilot: Pilot[Any]) -> dict[str, SettingRow]:
    return {row.field.name: row for row in pilot.app.screen.query(SettingRow)}


async def write(pilot: Pilot[Any], name: str, text: str) -> None:
    rows(pilot)[name].query_one("Input").focus()
    await pilot.pause()
    await pilot.press("ctrl+a", "ctrl+k", *text, "enter")
    await pilot.pause()


def said(pilot: Pilot[Any]) -> str:
    return str(pilot.app.screen.query_one("#settings-about").render())


async def test_each_field_of_the_file_is_there_and_what_is_changed_is_saved_and_acts_at_once(by_hand: None):
    async with MinigptApp().run_test(size=(120, 40)) as pilot:
        desk = pilot.app.screen
        assert isinstance(desk, WriteDesk)
        await open_part(pilot, "app")
        names = set(rows(pilot))
        await pilot.press("escape")
        for part in ("notices", "document", "turns"):
            await open_part(pilot, part)
            names |= set(rows(pilot))
            if part != "turns":
                await pilot.press("escape")
        wanted = {field.name for cls in (Settings, SamplingSettings) for field in fields(cls)}
        assert wanted - names == {"sampling", "document_sampling", "sampling_sets", "keys"}
        await write(pilot, "temperature", "1.25")
        await write(pilot, "seed", "7")
        assert (desk.turns.sampling.settings.temperature, desk.turns.sampling.settings.seed) == (1.25, 7)
        await write(pilot, "seed", "")
        text = settings_path().read_text()
        assert text == FILE + "temperature = 1.25\n"
        await write(pilot, "top_k", "0")
        assert "top_k = 0  # few" in settings_path().read_text()


@pytest.mark.parametrize(
    "size",
    [
        pytest.param((60, 20), id="60x20", marks=pytest.mark.long),
        pytest.param((80, 24), id="80x24"),
        pytest.param((120, 40), id="120x40", marks=pytest.mark.long),
    ],
)
async def test_a_value_that_cannot_be_is_named_with_its_range_and_not_saved(by_hand: None, size: Size):
    async with MinigptApp().run_test(size=size) as pilot:
        await open_part(pilot, "turns")
        for name, wrong, words in (
            ("top_p", "7", "top_p must be above 0 and at most 1"),
            ("samples", "0", "samples must lie between 1 and 256"),
            ("temperature", "hot", "temperature must be a number, not 'hot'"),
            ("seed", "1.5", "seed must be a whole number"),
        ):
            await write(pilot, name, wrong)
            assert words in said(pilot)
            assert words in screen_text(pilot.app)
        await pilot.press("escape")
        assert settings_path().read_text() == FILE


async def test_a_key_takes_the_default_again_and_escape_takes_what_is_written(by_hand: None):
    async with MinigptApp().run_test(size=(80, 24)) as pilot:
        await open_part(pilot, "turns")
        rows(pilot)["top_k"].query_one("Input").focus()
        await pilot.press("ctrl+d")
        await wait_until(pilot, lambda: load_settings()[0].sampling.top_k == 0)
        assert "Default: 0." in said(pilot)
        await pilot.press("1", "2", "escape")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, WriteDesk))
        assert load_settings()[0].sampling.top_k == 12


async def test_choices_and_boxes_act_at_once(by_hand: None):
    async with MinigptApp().run_test(size=(120, 40)) as pilot:
        desk = pilot.app.screen
        assert isinstance(desk, WriteDesk)
        await open_part(pilot, "app")
        for name in ("panels", "explain"):
            rows(pilot)[name].query_one("Checkbox").focus()
            await pilot.press("space")
        rows(pilot)["theme"].query_one("Select").value = "minigpt-dark"  # type: ignore[attr-defined]
        await wait_until(pilot, lambda: pilot.app.theme == "minigpt-dark")
        await wait_until(pilot, lambda: not desk.turns.panels.display)
        assert desk.turns.conversation.explain
        assert settings_path().read_text().startswith('# mine\n\ntheme = "minigpt-dark"  # bright\nmood = "calm"\n')


async def test_a_theme_that_is_not_there_is_shown_and_another_can_be_chosen(engine: type[ScriptedEngine]):
    save_settings(Settings(theme="no [such] theme"))
    async with MinigptApp().run_test(size=(80, 24)) as pilot:
        await open_part(pilot, "app")
        assert "no [such] theme" in screen_text(pilot.app)
        rows(pilot)["theme"].query_one("Select").value = "minigpt-light"  # type: ignore[attr-defined]
        await wait_until(pilot, lambda: pilot.app.theme == "minigpt-light")


async def test_all_that_cannot_be_used_is_listed_with_its_line(engine: type[ScriptedEngine]):
    settings_path().parent.mkdir(parents=True)
    settings_path().write_text(
        'theme = "x"\na = 1\nb = 2\n[sampling]\ntop_p = 3\nc = 4\n[keys]\n"run.new" = "ctrl+i"\n'
    )
    async with MinigptApp().run_test(size=(80, 24)) as pilot:
        await wait_until(pilot, lambda: len(notices(pilot)) == 4)
        assert "3 more lines of the settings cannot be used; Alt+S lists them." in notices(pilot)[3]
        await open_part(pilot, "app")
        listed = [str(line.render()) for line in pilot.app.screen.query(".settings-problem")]
        assert sorted(line.split(": ")[0] for line in listed) == [
            f"settings.toml:{line}" for line in (1, 2, 3, 5, 6, 8)
        ]


async def test_sets_are_made_changed_and_deleted(by_hand: None):
    async with MinigptApp().run_test(size=(80, 24)) as pilot:
        await open_part(pilot, "sets")
        for name, words in (("greedy", "built in"), ("calm [b]", "")):
            pilot.app.screen.query_one("#new-set").focus()
            await pilot.press("ctrl+a", "ctrl+k", *name, "enter")
            await pilot.app.workers.wait_for_complete()
            await pilot.pause()
            assert words in said(pilot)
        await write(pilot, "temperature", "0.3")
        assert load_settings()[0].sampling_sets == {"calm [b]": SamplingSettings(temperature=0.3)}
        pilot.app.screen.query_one(".delete-set").focus()
        await pilot.press("enter")
        await wait_until(pilot, lambda: not load_settings()[0].sampling_sets)


async def test_a_key_is_pressed_to_be_set_and_one_that_cannot_be_is_named(by_hand: None):
    async with MinigptApp().run_test(size=(80, 24)) as pilot:
        await open_part(pilot, "keys")
        await pilot.press("tab", "enter")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, KeyBox))
        for key, words in (("ctrl+q", "the key of 'Quit'"), ("x", "one types there"), ("tab", "one types there")):
            await pilot.press(key)
            await pilot.pause()
            assert words in " ".join(screen_text(pilot.app).replace("│", " ").split())
        await pilot.press("ctrl+e")
        await wait_until(pilot, lambda: load_settings()[0].keys == {"run.new": "ctrl+e"})
        await wait_until(pilot, lambda: "^E usually ^T" in " ".join(screen_text(pilot.app).split()))
        assert "'Redo'" in said(pilot)
        await pilot.press("escape")
        await pilot.press("ctrl+e")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, NewRunScreen))
        await pilot.press("escape")
        for key, chosen in (("delete", {"run.new": ""}), ("backspace", {})):
            await open_part(pilot, "keys")
            await pilot.press("tab", "enter")
            await wait_until(pilot, lambda: isinstance(pilot.app.screen, KeyBox))
            await pilot.press(key)
            await wait_until(pilot, lambda chosen=chosen: load_settings()[0].keys == chosen)
            await pilot.press("escape")
        assert all(keys.keys_of(action) == BY_ID[action.id].keys for action in ACTIONS)
        assert settings_path().read_text().startswith(FILE)
