"""Colours as terminals of fewer than sixteen million show them, chosen for the pair of text and ground.

Rounding each channel, as rich does, makes blue or teal of a dark grey, and of text and ground that are close the same
colour. Here each ground becomes the entry of the palette that looks most like it, and each text the one that looks most
like it among those that are read on that ground. Distances are those of OKLab (Björn Ottosson, 2020), contrasts those
of WCAG 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from typing import Literal, NamedTuple

from rich.color import Color, ColorType
from rich.color_triplet import ColorTriplet

Depth = Literal["truecolor", "256", "16", "none"]

LEGIBLE = 4.5
"""The least contrast of text that WCAG 2 calls legible (AA)."""

_LEVELS = (0, 95, 135, 175, 215, 255)  # of a channel in xterm's cube of 216 colours
_XTERM = {
    **{16 + number: ColorTriplet(_LEVELS[number // 36], _LEVELS[number // 6 % 6], _LEVELS[number % 6])
       for number in range(216)},
    **{232 + number: ColorTriplet(*[8 + 10 * number] * 3) for number in range(24)},
}  # fmt: skip
"""The entries that are the same on every terminal of 256 colours; people choose the first sixteen themselves."""

_VGA = {
    number: ColorTriplet(*triplet)
    for number, triplet in enumerate((
        (0, 0, 0), (170, 0, 0), (0, 170, 0), (170, 85, 0), (0, 0, 170), (170, 0, 170), (0, 170, 170), (170, 170, 170),
        (85, 85, 85), (255, 85, 85), (85, 255, 85), (255, 255, 85), (85, 85, 255), (255, 85, 255), (85, 255, 255),
        (255, 255, 255),
    ))
}  # fmt: skip
_XTERM_16 = {
    number: ColorTriplet(*triplet)
    for number, triplet in enumerate((
        (0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0), (0, 0, 238), (205, 0, 205), (0, 205, 205), (229, 229, 229),
        (127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0), (92, 92, 255), (255, 0, 255), (0, 255, 255),
        (255, 255, 255),
    ))
}  # fmt: skip
_BLACK, _WHITE = 0, 15


_WITHOUT_COLOUR = ("vt100", "vt102", "vt220", "vt320", "vt420")  # values of TERM, and those that end in -m or -mono


def depth_of(color_system: str | None, environment: Mapping[str, str]) -> Depth:
    """The colours that a terminal has, by what rich says of it and what is said in the environment."""
    term = environment.get("TERM", "")
    if environment.get("NO_COLOR") or term in _WITHOUT_COLOUR or term.endswith(("-m", "-mono")):
        return "none"
    depths: dict[str | None, Depth] = {"truecolor": "truecolor", "256": "256", None: "none"}
    return depths.get(color_system, "16")


class Pair(NamedTuple):
    """How a terminal is told to show a text on a ground."""

    text: Color
    ground: Color
    reverse: bool = False  # the two in place of each other


# --- what is seen -----------------------------------------------------------------------------------------


def contrast(one: ColorTriplet, other: ColorTriplet) -> float:
    """The contrast ratio of two colours, from 1 to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@cache
def _luminance(color: ColorTriplet) -> float:
    red, green, blue = _linear(color)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(color: ColorTriplet) -> tuple[float, ...]:
    parts = (part / 255 for part in color)
    return tuple(part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)


@cache
def _oklab(color: ColorTriplet) -> tuple[float, float, float]:
    red, green, blue = _linear(color)
    long = (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue) ** (1 / 3)
    medium = (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue) ** (1 / 3)
    short = (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue) ** (1 / 3)
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )


def _distance(one: ColorTriplet, other: ColorTriplet, hue: float = 1.0) -> float:
    """How much two colours differ; with more `hue`, that counts more beside the lightness."""
    lightness, *chroma = ((a - b) ** 2 for a, b in zip(_oklab(one), _oklab(other), strict=True))
    return lightness + hue * sum(chroma)


# --- what is shown ----------------------------------------------------------------------------------------


@lru_cache(4096)
def shown(depth: Depth, dark: bool, text: ColorTriplet, ground: ColorTriplet, is_text: bool) -> Pair:
    """The colours of `text` on `ground` at this depth; a frame or a bar, which is no text, may be fainter.

    Sixteen colours are the terminal's own, so what is next to black where the theme is `dark`, else to white, is left
    to be the terminal's ground. Of no colour the ground remains: a light one is shown in reverse.
    """
    meant = contrast(text, ground) if is_text else 1.0
    wanted = LEGIBLE if meant >= LEGIBLE else 0.7 * meant  # what is faint, as all behind a box is, may stay so
    if depth == "256":
        there = _nearest(ground, _XTERM)
        return Pair(
            _entry(ColorType.EIGHT_BIT, *_legible(text, _XTERM, [(there[1], _XTERM)], wanted)),
            _entry(ColorType.EIGHT_BIT, *there),
        )
    if depth == "16":
        return _of_sixteen(text, _nearest(ground, _grounds_of_sixteen())[0], _BLACK if dark else _WHITE, wanted)
    lit = _luminance(ground) > 0.18  # where white and black are read equally well
    return Pair(_default(_VGA[_WHITE]), _default(_VGA[_BLACK]), reverse=lit)


def _of_sixteen(text: ColorTriplet, ground: int, page: int, wanted: float) -> Pair:
    grounds = [(palette[ground], palette) for palette in (_VGA, _XTERM_16)]
    number = _legible(text, _VGA, grounds, wanted)[0]
    plain = ground == page and number == _WHITE + _BLACK - page
    return Pair(
        _default(_VGA[number]) if plain else _entry(ColorType.STANDARD, number, _VGA[number]),
        _default(_VGA[ground]) if ground == page else _entry(ColorType.STANDARD, ground, _VGA[ground]),
    )


@cache
def _grounds_of_sixteen() -> dict[int, ColorTriplet]:
    """The entries on which some text is read, whichever of the two palettes a terminal has: not brown, or yellow."""
    return {
        number: triplet
        for number, triplet in _VGA.items()
        if any(
            all(contrast(palette[text], palette[number]) >= LEGIBLE for palette in (_VGA, _XTERM_16)) for text in _VGA
        )
    }


def _nearest(color: ColorTriplet, palette: dict[int, ColorTriplet]) -> tuple[int, ColorTriplet]:
    return min(palette.items(), key=lambda entry: _distance(color, entry[1]))


def _legible(
    text: ColorTriplet,
    palette: dict[int, ColorTriplet],
    grounds: Iterable[tuple[ColorTriplet, dict[int, ColorTriplet]]],
    wanted: float,
) -> tuple[int, ColorTriplet]:
    """The entry most like `text` that is read on each ground, whose terminal shows it by a palette of its own."""
    near = sorted(palette.items(), key=lambda entry: _distance(text, entry[1], hue=2.0))
    read = (entry for entry in near if all(contrast(shown[entry[0]], ground) >= wanted for ground, shown in grounds))
    return next(read, max(near, key=lambda entry: min(contrast(shown[entry[0]], ground) for ground, shown in grounds)))


def _entry(kind: ColorType, number: int, triplet: ColorTriplet) -> Color:
    """An entry of a palette that also says how it looks: what lies behind a box is blended with its ground."""
    return Color(f"color({number})", kind, number, triplet)


def _default(triplet: ColorTriplet) -> Color:
    return Color("default", ColorType.DEFAULT, None, triplet)
