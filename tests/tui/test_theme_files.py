"""Themes of one's own: what is used of a file, and what is said of the rest."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.settings import Settings, load_settings, save_settings
from minigpt_tui.tui.theme_files import MOST_FILES, load_theme_files, themes_folder
from minigpt_tui.tui.themes import DARK, LIGHT, PALETTES

from .scripted_engine import ScriptedEngine
from .seen import notices

Engine = type[ScriptedEngine]


@pytest.fixture
def folder(home: Path) -> Path:
    themes_folder().mkdir(parents=True)
    return themes_folder()


def test_without_a_folder_there_are_none(home: Path):
    assert load_theme_files() == ([], [])


def test_a_theme_is_the_base_with_the_colours_of_its_file(folder: Path):
    (folder / "sea.toml").write_text('based_on = "minigpt-light"\nbackground = "#FFFFFF"\nmuted = "#334455"\n')
    (folder / "night.toml").write_text('\ufeffprimary = "#abcdef"\n', encoding="utf-8")
    (night, sea), problems = load_theme_files()
    assert problems == []
    assert (sea.name, sea.dark, sea.background, sea.surface) == ("sea", False, "#FFFFFF", LIGHT.surface)
    assert sea.variables["footer-background"] == "#FFFFFF", "what follows from a colour follows from the file's"
    assert (night.name, night.dark, night.primary, night.accent) == ("night", True, "#abcdef", DARK.accent)


def test_every_colour_can_be_named(folder: Path):
    names = [name for name in vars(PALETTES["minigpt-dark"]) if name != "dark"]
    (folder / "all.toml").write_text("dark = false\n" + "".join(f'{name} = "#0a0b0c"\n' for name in names))
    (theme,), problems = load_theme_files()
    assert problems == []
    assert not theme.dark
    assert {theme.error, theme.variables["scrollbar-hover"]} == {"#0a0b0c"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('primary = "red"', "mine.toml:2: 'primary'"),
        ('primary = "#12345"', "mine.toml:2: 'primary'"),
        ('primary = "[red]x[/]"', "mine.toml:2: 'primary'"),
        ('primary = "ansi_red"', "mine.toml:2: 'primary'"),
        ("primary = 5", "mine.toml:2: 'primary'"),
        ("  primary = { red = 1 }", "mine.toml:2: 'primary'"),
        ('dark = "yes"', "mine.toml:2: 'dark'"),
        ('based_on = "nord"', "mine.toml:2: 'based_on'"),
        ("based_on = []", "mine.toml:2: 'based_on'"),
        ('primari = "#123456"', "no 'primari'"),
        ("[variables]\nx = 1", "no 'variables'"),
    ],
)
def test_what_cannot_be_used_is_named_once_and_the_rest_is_used(folder: Path, line: str, said: str):
    (folder / "mine.toml").write_text(f'accent = "#010203"\n{line}\n')
    (theme,), problems = load_theme_files()
    assert theme.accent == "#010203"
    assert theme.primary == DARK.primary
    (problem,) = problems
    assert "mine.toml" in problem
    assert said in problem


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b"primary = ", b"a = " + b"[" * 3000, b"#" * 70_000], ids=["bytes", "cut", "deep", "long"]
)
def test_a_file_that_is_no_theme_is_one_sentence(folder: Path, content: bytes):
    (folder / "bad.toml").write_bytes(content)
    themes, problems = load_theme_files()
    assert themes == []
    assert len(problems) == 1
    assert "bad.toml" in problems[0]


def test_names_that_would_be_markup_or_ours_are_refused(folder: Path):
    for name in ("[red]x", "minigpt-dark", "a b", "x" * 60, "bell\x07"):
        (folder / f"{name}.toml").write_text("")
    themes, problems = load_theme_files()
    assert themes == []
    assert len(problems) == 5
    assert all(problem.isprintable() for problem in problems)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_nothing_is_waited_for(folder: Path):
    os.mkfifo(folder / "pipe.toml")
    (folder / "folder.toml").mkdir()
    themes, problems = load_theme_files()
    assert themes == []
    assert len(problems) == 2


def test_a_folder_full_of_files_is_read_in_part(folder: Path):
    for number in range(MOST_FILES + 1):
        (folder / f"t{number}.toml").write_text("")
    themes, problems = load_theme_files()
    assert len(themes) == MOST_FILES
    assert len(problems) == 1


async def test_the_app_wears_it_and_says_what_was_wrong(engine: Engine, folder: Path):
    (folder / "sea-dark.toml").write_text('background = "#001020"\nprimary = "blue"\n')
    (folder / "sea-light.toml").write_text('based_on = "minigpt-light"\n')
    save_settings(Settings(theme="sea-dark"))
    app = MinigptApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert app.current_theme.name == "sea-dark"
        assert app.screen.styles.background.hex == "#001020"
        assert [".toml:2: " in notice for notice in notices(pilot)] == [True]
        await pilot.press("f9")
        assert (app.theme, load_settings()[0].theme) == ("sea-light", "sea-light")
        await pilot.press("f9")
        assert app.theme == "sea-dark"


async def test_a_theme_whose_file_is_gone_falls_back(engine: Engine, home: Path):
    save_settings(Settings(theme="[b]gone[/b]"))
    app = MinigptApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert app.theme == DARK.name
        assert ["'[b]gone[/b]'" in notice for notice in notices(pilot)] == [True]
        assert load_settings()[0].theme == "[b]gone[/b]", "it is there again when its file is"
