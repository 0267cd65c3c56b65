"""Which theme is painted, which is remembered, and that the kinds of colour vision tell the colours of one apart."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from itertools import combinations, product
from pathlib import Path

import pytest
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.colour_depth import contrast
from minigpt_tui.tui.line_filters import drawn_depth, draws_ascii
from minigpt_tui.tui.settings import Settings, load_settings, save_settings
from minigpt_tui.tui.terminal import shows_ascii_only
from minigpt_tui.tui.themes import PALETTES, THEMES, counterpart
from rich.color import Color
from textual.theme import BUILTIN_THEMES

from .scripted_engine import ScriptedEngine
from .seen import notices
from .widgets.test_probability_colours import SEEN, seen

Engine = type[ScriptedEngine]
SIZE = (80, 24)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("minigpt-dark", "minigpt-light"),
        ("minigpt-high-contrast-light", "minigpt-high-contrast-dark"),
        ("minigpt-colour-blind-dark", "minigpt-colour-blind-light"),
        ("minigpt-ansi-light", "minigpt-ansi-dark"),
        ("textual-dark", "textual-light"),
        ("nord", "minigpt-light"),
        ("catppuccin-latte", "minigpt-dark"),
    ],
)
def test_the_counterpart_is_of_the_same_kind_where_there_is_one(name: str, other: str):
    available = {theme.name: theme for theme in (*THEMES, *BUILTIN_THEMES.values())}
    assert counterpart(available[name], available) == other


async def test_f9_stays_with_the_kind_of_theme(engine: Engine, home: Path):
    save_settings(Settings(theme="minigpt-high-contrast-dark"))
    app = MinigptApp()
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("f9")
        assert (app.theme, load_settings()[0].theme) == ("minigpt-high-contrast-light",) * 2
        await pilot.press("f9")
        assert (app.theme, load_settings()[0].theme) == ("minigpt-high-contrast-dark",) * 2


async def test_what_stands_for_a_theme_in_sixteen_colours_is_not_remembered(
    engine: Engine, home: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("COLORTERM")
    monkeypatch.setenv("TERM", "linux")
    save_settings(Settings(theme="minigpt-high-contrast-dark"))
    app = MinigptApp()
    async with app.run_test(size=SIZE) as pilot:
        assert app.theme == "minigpt-ansi-dark"
        await pilot.press("f9")
        assert app.theme == "minigpt-ansi-light"
        assert load_settings()[0].theme == "minigpt-high-contrast-light"
        app.theme = "nord"  # as the palette does
        await pilot.pause()
        assert load_settings()[0].theme == "nord"
        assert drawn_depth(app) == "16"


async def test_without_colours_f9_says_so_and_changes_nothing(
    engine: Engine, home: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("NO_COLOR", "1")
    save_settings(Settings(theme="minigpt-light"))
    app = MinigptApp()
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("f9")
        await pilot.pause()
        assert ["NO_COLOR" in notice for notice in notices(pilot)] == [True]
        assert load_settings()[0].theme == "minigpt-light"


async def test_an_empty_no_color_says_nothing(engine: Engine, home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_COLOR", "")
    app = MinigptApp()
    async with app.run_test(size=SIZE):
        assert (app.no_color, drawn_depth(app)) == (False, "truecolor")


async def test_an_ansi_theme_is_painted_in_sixteen_colours_everywhere(engine: Engine, home: Path):
    save_settings(Settings(theme="minigpt-ansi-dark", ascii=True))
    app = MinigptApp()
    async with app.run_test(size=SIZE):
        assert drawn_depth(app) == "16"
        assert draws_ascii(app)


@pytest.mark.parametrize("vision", ["all", *SEEN])
@pytest.mark.parametrize("name", ["minigpt-colour-blind-dark", "minigpt-colour-blind-light"])
def test_every_kind_of_colour_vision_tells_these_apart(name: str, vision: str):
    palette = PALETTES[name]
    for pair in (("secondary", "accent"), *combinations(("success", "warning", "error"), 2)):
        one, other = (seen(Color.parse(getattr(palette, part)).get_truecolor(), vision) for part in pair)
        lightness = [
            max(0.0, 0.2126 * red + 0.7152 * green + 0.0722 * blue) ** (1 / 3) for red, green, blue in (one, other)
        ]
        hue = max(abs(a - b) for a, b in zip(one, other, strict=True))
        assert hue > 0.1 or abs(lightness[0] - lightness[1]) > 0.1, f"{pair} differ in hue or in lightness"


@pytest.mark.parametrize("name", ["minigpt-high-contrast-dark", "minigpt-high-contrast-light"])
def test_high_contrast_is_seven_or_more_on_page_and_boxes(name: str):
    palette = PALETTES[name]
    parts = ("foreground", "muted", "disabled", "primary", "secondary", "accent", "success", "warning", "error")
    for part, ground in product(parts, ("background", "surface", "panel", "boost")):
        text, page = (Color.parse(getattr(palette, each)).get_truecolor() for each in (part, ground))
        assert contrast(text, page) >= 7, f"{part} on {ground}"


@pytest.mark.parametrize(
    ("encoding", "environment", "ascii_only"),
    [
        ("utf-8", {}, False),
        ("UTF8", {"LANG": "de_DE.UTF-8"}, False),
        ("iso-8859-1", {"LANG": "de_DE"}, True),
        ("ascii", {"LC_ALL": "C"}, True),
        ("utf-8", {"MINIGPT_ASCII": "1"}, True),
        ("ascii", {"MINIGPT_ASCII": "0"}, False),
    ],
)
def test_where_ascii_is_all_that_is_shown(
    monkeypatch: pytest.MonkeyPatch, encoding: str, environment: dict[str, str], ascii_only: bool
):
    for name in ("LC_ALL", "LC_CTYPE", "LANG", "MINIGPT_ASCII", "PYTHONUTF8"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert shows_ascii_only(io.TextIOWrapper(io.BytesIO(), encoding=encoding)) is ascii_only


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="locales are those of POSIX")
@pytest.mark.parametrize(
    ("environment", "ascii_only"),
    [({"LANG": "C"}, True), ({"LC_ALL": "POSIX"}, True), ({"LC_ALL": "C", "PYTHONUTF8": "1"}, False), ({}, False),
     ({"LANG": "C.UTF-8"}, False)],
    ids=["LANG=C", "POSIX", "PYTHONUTF8", "not set", "C.UTF-8"],
)  # fmt: skip
def test_a_locale_that_is_set_to_c_is_ascii(environment: dict[str, str], ascii_only: bool):
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG", "PYTHONUTF8", "MINIGPT"))}
    code = "import sys; from minigpt_tui.tui.terminal import shows_ascii_only; print(shows_ascii_only(sys.stderr))"
    done = subprocess.run(
        [Path(sys.prefix, "bin", "python"), "-c", code],
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str(ascii_only)
