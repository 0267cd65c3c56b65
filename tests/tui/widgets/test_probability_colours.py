from itertools import pairwise

import pytest
from minigpt_tui.tui.themes import DARK, LIGHT
from minigpt_tui.tui.widgets.probability_colours import SHADES, probability_styles, shades, style_number
from rich._palettes import STANDARD_PALETTE
from rich.color import Color as RichColor
from rich.color import ColorSystem
from rich.color_triplet import ColorTriplet
from rich.style import Style
from textual.app import App
from textual.color import Color
from textual.theme import Theme

THEMES = pytest.mark.parametrize("theme", [DARK, LIGHT], ids=["dark", "light"])

# What people with a missing kind of cone see of linear red, green and blue (Machado, Oliveira and Fernandes 2009).
SEEN = {
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def linear(color: ColorTriplet) -> tuple[float, ...]:
    parts = (part / 255 for part in color)
    return tuple(part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)


def seen(color: ColorTriplet, vision: str) -> tuple[float, ...]:
    rgb = linear(color)
    if vision == "all":
        return rgb
    return tuple(sum(weight * part for weight, part in zip(row, rgb, strict=True)) for row in SEEN[vision])


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """The contrast ratio of WCAG 2, from 1 to 21."""
    light, dark = sorted(
        (0.2126 * red + 0.7152 * green + 0.0722 * blue for red, green, blue in (one, other)), reverse=True
    )
    return (light + 0.05) / (dark + 0.05)


def triplet(style: Style) -> ColorTriplet:
    assert style.color
    return style.color.get_truecolor()


def page(theme: Theme, name: str) -> ColorTriplet:
    color = getattr(theme, name)
    return Color.parse(color).rich_color.get_truecolor()


@THEMES
@pytest.mark.parametrize("vision", ["all", *SEEN])
def test_the_less_likely_the_more_contrast_for_everybody(theme: Theme, vision: str):
    ground = seen(page(theme, "background"), vision)
    colors = [triplet(style) for style in shades(Color.parse(theme.background or ""))]
    contrasts = [contrast(seen(color, vision), ground) for color in colors]
    assert len(set(colors)) == len(contrasts) == SHADES
    assert contrasts[0] >= 4.5, "what is likely is read as well as any text"
    assert contrasts[-1] >= 1.7 * contrasts[0]
    assert all(less < more for less, more in pairwise(contrasts))


@THEMES
@pytest.mark.parametrize("name", ["surface", "boost"])
def test_all_of_them_can_be_read_on_boxes_too(theme: Theme, name: str):
    ground = linear(page(theme, name))
    colors = [linear(triplet(style)) for style in shades(Color.parse(theme.background or ""))]
    assert min(contrast(color, ground) for color in colors) >= 3.5


def one_of_sixteen(color: ColorTriplet) -> ColorTriplet:
    """What a terminal of sixteen colours shows for it."""
    number = RichColor.from_triplet(color).downgrade(ColorSystem.STANDARD).number
    assert number is not None
    return ColorTriplet(*STANDARD_PALETTE[number])


class ThemedApp(App[None]):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.register_theme(theme)
        self.theme = theme.name


def distinct(styles: list[Style]) -> list[Style]:
    """Each style once, in their order."""
    return list(dict.fromkeys(styles))


@THEMES
async def test_sixteen_colours_are_enough(theme: Theme, monkeypatch: pytest.MonkeyPatch):
    app = ThemedApp(theme)
    monkeypatch.setattr(type(app.console), "color_system", "standard")
    async with app.run_test():
        steps = distinct(probability_styles(app))
    assert len(steps) >= 3
    ground = one_of_sixteen(page(theme, "background"))
    contrasts = []
    for step in steps:
        assert one_of_sixteen(triplet(step)) == triplet(step)
        contrasts.append((contrast(linear(triplet(step)), linear(ground)), bool(step.bold)))
    assert contrasts == sorted(contrasts)
    assert len(set(contrasts)) == len(contrasts)
    assert contrasts[0][0] >= 4.5


@THEMES
async def test_without_colour_weight_tells(theme: Theme, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_COLOR", "1")
    app = ThemedApp(theme)
    async with app.run_test():
        styles = probability_styles(app)
    assert len(styles) == SHADES
    assert all(style.color is None for style in styles)
    assert len(distinct(styles)) == 4
    assert styles[0] == Style()
    assert (styles[-1].bold, styles[-1].underline) == (True, True)


def test_every_probability_has_a_style_and_small_ones_are_set_apart():
    numbers = [style_number(number / 1000) for number in range(1001)]
    assert (numbers[0], numbers[-1]) == (SHADES - 1, 0)
    assert numbers == sorted(numbers, reverse=True)
    assert set(numbers) == set(range(SHADES))
    assert style_number(0.01) - style_number(0.1) >= 3
    assert (style_number(-0.1), style_number(1.0000001)) == (SHADES - 1, 0)
