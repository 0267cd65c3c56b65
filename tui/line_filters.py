"""What is painted, made fit for the terminal on its way there: the colours that it has, the characters that it shows.

Textual passes every line of every widget through these, boxes, notices and the palette too. A screen behind a box comes
by twice; each filter leaves its own work as it is.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

from rich.color import Color as RichColor
from rich.color import ColorType
from rich.color_triplet import ColorTriplet
from rich.segment import Segment
from rich.style import Style
from textual.app import App
from textual.color import Color
from textual.filter import LineFilter

from .colour_depth import Depth, shown
from .text.ascii_text import ascii_cells

_NOT_DIM = Style(dim=False)


class DepthFilter(LineFilter):
    """Shows the colours of a theme as a terminal of `depth` has them; `dark` says of what kind the theme is."""

    def __init__(self, depth: Depth, dark: bool) -> None:
        super().__init__()
        self.depth: Depth = depth
        self._dark = dark

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same words in colours that the terminal has."""
        behind = background.rich_color
        return [
            segment if style is None or control else Segment(text, self._style(style, behind, has_words(text)))
            for segment in segments
            for text, style, control in (segment,)
        ]

    def _style(self, style: Style, behind: RichColor, is_text: bool) -> Style:
        text, ground = style.color, style.bgcolor or behind
        if text is None:
            text = ground
        if _is_shown(ground) and _is_shown(text) and style.bgcolor is not None:
            return style
        return style + _shown_style(self.depth, self._dark, text, ground, is_text, bool(style.reverse))


@cache
def depth_filter(depth: Depth, dark: bool) -> DepthFilter:
    """The filter of a depth: the same one each time, for Textual keeps what a filter has made of a line."""
    return DepthFilter(depth, dark)


class AsciiFilter(LineFilter):
    """Replaces all that is not ASCII, cell for cell."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same styles, in ASCII."""
        return [
            segment if control or text.isascii() else Segment(ascii_cells(text), style)
            for segment in segments
            for text, style, control in (segment,)
        ]


def drawn_depth(app: App[Any]) -> Depth:
    """The depth of the colours that are sent to the terminal."""
    depths: list[Depth] = [each.depth for each in app.get_line_filters() if isinstance(each, DepthFilter)]
    return depths[0] if depths else "truecolor"


def draws_ascii(app: App[Any]) -> bool:
    """Whether the app replaces all that is not ASCII: what draws with other signs then had better choose its own."""
    return any(isinstance(each, AsciiFilter) for each in app.get_line_filters())


@lru_cache(4096)
def has_words(text: str) -> bool:
    """Whether a part of a line is to be read: frames, bars and braille are not, nor are blanks."""
    return any(not (character.isspace() or "\u2500" <= character <= "\u259f" or "\u2800" <= character <= "\u28ff")
               for character in text)  # fmt: skip


@lru_cache(4096)
def _shown_style(depth: Depth, dark: bool, text: RichColor, ground: RichColor, is_text: bool, reverse: bool) -> Style:
    if depth == "none":
        pair = shown(depth, dark, _looks(text), _looks(ground), is_text)
        # also where both say so: what is marked by a light ground and in reverse is marked
        return Style(color=pair.text, bgcolor=pair.ground, reverse=pair.reverse or reverse) + _NOT_DIM
    front, back = (ground, text) if reverse else (text, ground)
    pair = shown(depth, dark, _looks(front), _looks(back), is_text)
    front, back = (pair.ground, pair.text) if reverse else (pair.text, pair.ground)
    return Style(color=front, bgcolor=back) + _NOT_DIM


def _looks(color: RichColor) -> ColorTriplet:
    return color.triplet or color.get_truecolor()


def _is_shown(color: RichColor) -> bool:
    return color.type is not ColorType.TRUECOLOR
