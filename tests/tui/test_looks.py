"""What each theme and each terminal shows on all screens: text is read, and in ASCII there is nothing else.

What is painted is looked at, not what the themes say. Frames, bars, braille and what lies behind a box are no text.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.colour_depth import LEGIBLE, Depth, contrast
from minigpt_tui.tui.line_filters import has_words
from minigpt_tui.tui.settings import Settings, save_settings
from minigpt_tui.tui.themes import PALETTES
from rich.color import Color, ColorType
from rich.color_triplet import ColorTriplet
from textual.pilot import Pilot

from .scripted_engine import ScriptedEngine
from .seen import painted
from .tour import furnish, tour, turns

TERMINALS: dict[Depth, dict[str, str]] = {
    "truecolor": {"COLORTERM": "truecolor"},
    "256": {"COLORTERM": "", "TERM": "xterm-256color"},
    "16": {"COLORTERM": "", "TERM": "xterm-16color"},
    "none": {"NO_COLOR": "1"},
}
KINDS: dict[Depth, set[ColorType]] = {
    "truecolor": {ColorType.TRUECOLOR},
    "256": {ColorType.EIGHT_BIT},
    "16": {ColorType.STANDARD, ColorType.DEFAULT},
    "none": {ColorType.DEFAULT},
}


def looks(color: Color | None) -> ColorTriplet:
    assert color is not None, "every cell says its colours"
    return color.triplet or color.get_truecolor()


def faint(app: MinigptApp) -> Iterator[str]:
    """All text on the screen that is hard to read, or dimmed by the terminal."""
    for part in painted(app):
        if has_words(part.text):
            text, ground = looks(part.style.color), looks(part.style.bgcolor)
            if (ratio := contrast(text, ground)) < LEGIBLE or part.style.dim:
                yield f"{app.theme}: {text.hex} on {ground.hex}, {ratio:.1f}: {part.text.strip()!r}"


def kinds(app: MinigptApp) -> set[ColorType]:
    """The kinds of colour that are sent to the terminal."""
    colors = [color for part in painted(app) for color in (part.style.color, part.style.bgcolor)]
    return {color.type for color in colors if color is not None}


@pytest.fixture
def terminal(engine: type[ScriptedEngine], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, depth: Depth) -> Depth:
    """A terminal with so many colours, and an app with something to show."""
    for name, value in TERMINALS[depth].items():
        monkeypatch.setenv(name, value)
    furnish(monkeypatch, tmp_path)
    return depth


SIZES = pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40)], ids=["60x20", "80x24", "120x40"])
DEPTHS = pytest.mark.parametrize("depth", list(TERMINALS))


@pytest.mark.long
@SIZES
@DEPTHS
async def test_all_text_on_all_screens_is_read_in_each_theme(terminal: Depth, size: tuple[int, int]):
    app, found = MinigptApp(), set[str]()
    themes = list(PALETTES)[: None if size == (80, 24) else 2]
    if terminal == "none":
        themes = ["minigpt-no-colour"]
    async with app.run_test(size=size) as pilot:
        async for screen in tour(pilot):
            for theme in themes:
                app.theme = theme
                await pilot.pause()
                found |= {f"{screen}, {each}" for each in faint(app)}
                assert kinds(app) <= KINDS["16" if "ansi" in theme else terminal]
    assert not found, "\n".join(sorted(found))


@pytest.mark.parametrize(("depth", "ascii"), [("256", False), ("none", True)], ids=["256", "none-ascii"])
async def test_text_of_the_desk_is_read(terminal: Depth, ascii: bool):
    save_settings(Settings(ascii=ascii))
    app = MinigptApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await turns(pilot)
        assert not list(faint(app))
        assert kinds(app) == KINDS[terminal]
        assert all(part.text.isascii() for part in painted(app)) is ascii


@pytest.mark.long
@SIZES
@pytest.mark.parametrize("depth", ["truecolor", "none"])
async def test_in_ascii_there_is_nothing_else_on_any_screen(terminal: Depth, size: tuple[int, int]):
    save_settings(Settings(ascii=True))
    app = MinigptApp()
    async with app.run_test(size=size) as pilot:
        async for screen in tour(pilot):
            assert [part.text for part in painted(app) if not part.text.isascii()] == [], screen


# --- pictures -------------------------------------------------------------------------------------------


async def settled(pilot: Pilot[int]) -> None:
    """A conversation coloured by probability, with a token chosen; without notices, which come and go."""
    await turns(pilot)
    pilot.app.clear_notifications()
    await pilot.press("f7", "shift+tab", "left", "left")
    await pilot.pause(0.2)


LOOKS = [
    *[("truecolor", theme, False) for theme in list(PALETTES)[2:]],
    *[("256", theme, False) for theme in list(PALETTES)[:2]],
    *[("16", theme, False) for theme in list(PALETTES)[:2]],
    ("none", "minigpt-dark", False),
    ("none", "minigpt-dark", True),
    ("truecolor", "minigpt-dark", True),
]


@pytest.mark.long
@SIZES
@pytest.mark.parametrize(
    ("depth", "theme", "ascii"),
    LOOKS,
    ids=[f"{theme.removeprefix('minigpt-')}-{depth}{'-ascii' * ascii}" for depth, theme, ascii in LOOKS],
)
def test_picture(snap_compare, terminal: Depth, theme: str, ascii: bool, size: tuple[int, int]):
    save_settings(Settings(theme=theme, ascii=ascii))
    assert snap_compare(MinigptApp(), terminal_size=size, run_before=settled)
