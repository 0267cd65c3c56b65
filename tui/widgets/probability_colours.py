"""The colours of probabilities: the less likely a token, the further it stands out from the page.

Lightness carries the scale: from a grey that is still well read to the strongest contrast that the page allows, and on
the way from blue to orange, which every kind of colour vision tells apart. A terminal of sixteen colours gets a few
steps of its own, and one without colour weights and underlines.
"""

from __future__ import annotations

from typing import Any

from rich.style import Style
from textual.app import App
from textual.color import Color

from ..line_filters import drawn_depth

SHADES = 16

LINE_BREAK = "↵"
"""What shows the line break of a token, where tokens are coloured."""

_ON_DARK = ("#6f86b8", "#bfae9a", "#ffd75f")  # likely, between, unlikely
_ON_LIGHT = ("#5d6c92", "#7a4636", "#7d1500")

# Of sixteen colours, by the values that rich knows them by; the last step tells more by its weight.
_SIXTEEN_ON_DARK = ("#aaaaaa", "#55ffff", "#ffff55", "bold #ffff55")
_SIXTEEN_ON_LIGHT = ("#555555", "#aa0000", "bold #aa0000")

_WEIGHTS = ("", "underline", "bold", "bold underline")


def probability_styles(app: App[Any]) -> list[Style]:
    """The styles that fit the app's theme and terminal, SHADES of them; see `style_number`."""
    background = Color.parse(app.theme_variables["background"])
    depth = drawn_depth(app)
    if app.no_color or depth == "none":
        return spread(_WEIGHTS)
    if depth == "16" or app.console.color_system in ("standard", "windows"):
        return spread(_SIXTEEN_ON_DARK if is_dark(background) else _SIXTEEN_ON_LIGHT)
    return shades(background)


def style_number(probability: float) -> int:
    """Which of the styles a probability has: the first is that of 1, the last that of 0.

    By the square root, which sets small probabilities apart.
    """
    return round((1 - max(0.0, min(1.0, probability)) ** 0.5) * (SHADES - 1))


def shades(background: Color) -> list[Style]:
    """The colours on this page, the likeliest first."""
    low, middle, high = map(Color.parse, _ON_DARK if is_dark(background) else _ON_LIGHT)
    blends = [number / (SHADES - 1) * 2 for number in range(SHADES)]
    colors = [low.blend(middle, part) if part < 1 else middle.blend(high, part - 1) for part in blends]
    return [Style(color=color.rich_color) for color in colors]


def spread(steps: tuple[str, ...]) -> list[Style]:
    """These few styles, the likeliest first, over all SHADES."""
    return [Style.parse(steps[number * len(steps) // SHADES]) for number in range(SHADES)]


def is_dark(background: Color) -> bool:
    """Whether light letters are read better on this page than dark ones."""
    return background.brightness < 0.5
