"""Colours at each depth: text is read wherever it was, and what was grey stays grey."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minigpt_tui.tui.colour_depth import LEGIBLE, Depth, contrast, depth_of, shown
from minigpt_tui.tui.themes import DARK, LIGHT, PALETTES
from rich.color import Color, ColorSystem, ColorType
from rich.color_triplet import ColorTriplet
from textual.theme import Theme

COLOURS = st.builds(ColorTriplet, *[st.integers(0, 255)] * 3)


def triplet(color: str | None) -> ColorTriplet:
    assert color
    return Color.parse(color).get_truecolor()


def looks(color: Color) -> ColorTriplet:
    assert color.triplet
    return color.triplet


@given(st.sampled_from(["256", "16"]), st.booleans(), COLOURS, COLOURS)
def test_text_that_was_read_is_read(depth: Depth, dark: bool, text: ColorTriplet, ground: ColorTriplet):
    pair = shown(depth, dark, text, ground, True)
    if contrast(text, ground) >= LEGIBLE:
        assert contrast(looks(pair.text), looks(pair.ground)) >= LEGIBLE


@given(st.booleans(), COLOURS, COLOURS)
def test_what_is_sent_is_what_was_chosen(dark: bool, text: ColorTriplet, ground: ColorTriplet):
    for color in shown("256", dark, text, ground, True)[:2]:
        assert color.type is ColorType.EIGHT_BIT
        assert color.downgrade(ColorSystem.EIGHT_BIT) == color.downgrade(ColorSystem.TRUECOLOR) == color
        assert Color.from_ansi(color.number or 0).get_truecolor() == color.triplet


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=["dark", "light"])
def test_grounds_stay_nearly_grey_and_apart_in_256_colours(theme: Theme):
    grounds = [theme.background, theme.panel, theme.boost, theme.variables["block-cursor-background"]]
    shown_grounds = [
        looks(shown("256", theme.dark, triplet(theme.foreground), triplet(each), True).ground) for each in grounds
    ]
    assert all(max(ground) - min(ground) < 48 for ground in shown_grounds), "no blue or teal blocks"
    assert shown_grounds[0] not in shown_grounds[1:], "what is chosen differs from the page"


@pytest.mark.parametrize("name", ["minigpt-ansi-dark", "minigpt-ansi-light"])
def test_ansi_themes_are_the_terminals_own_colours(name: str):
    palette = PALETTES[name]
    page = triplet(palette.background)
    plain = shown("16", palette.dark, triplet(palette.foreground), page, True)
    assert [plain.text.type, plain.ground.type] == [ColorType.DEFAULT] * 2
    for part in ("primary", "secondary", "accent", "success", "warning", "error", "muted"):
        pair = shown("16", palette.dark, triplet(getattr(palette, part)), page, True)
        assert pair.text.triplet == triplet(getattr(palette, part)), f"{part} needs no other colour to be read"
        assert pair.ground.type is ColorType.DEFAULT


def test_without_colours_a_light_ground_is_reversed():
    black, white = ColorTriplet(0, 0, 0), ColorTriplet(255, 255, 255)
    for text, ground in product((black, white), repeat=2):
        pair = shown("none", True, text, ground, True)
        assert pair.reverse is (ground == white)
        assert {pair.text.type, pair.ground.type} == {ColorType.DEFAULT}


@pytest.mark.parametrize(
    ("color_system", "environment", "depth"),
    [
        ("truecolor", {"TERM": "xterm-256color"}, "truecolor"),
        ("256", {"TERM": "tmux-256color"}, "256"),
        ("standard", {"TERM": "xterm-16color"}, "16"),
        ("windows", {}, "16"),
        ("truecolor", {"NO_COLOR": "1"}, "none"),
        ("truecolor", {"NO_COLOR": ""}, "truecolor"),
        ("standard", {"TERM": "vt220"}, "none"),
        ("standard", {"TERM": "xterm-mono"}, "none"),
        (None, {"TERM": "dumb"}, "none"),
    ],
)
def test_what_a_terminal_has(color_system: str | None, environment: dict[str, str], depth: Depth):
    assert depth_of(color_system, environment) == depth
