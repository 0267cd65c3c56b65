"""Lines on their way to the terminal."""

import pytest
from minigpt_tui.tui.line_filters import AsciiFilter, depth_filter
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

PAGE = Color.parse("#000000")


@pytest.mark.parametrize(
    ("style", "reverse"),
    [
        ("#ffffff on #000000", False),
        ("#000000 on #ffffff", True),
        ("reverse #ffffff on #000000", True),
        ("reverse #000000 on #ffffff", True),
    ],
)
def test_without_colours_what_is_marked_in_any_way_is_reversed(style: str, reverse: bool):
    (segment,) = depth_filter("none", True).apply([Segment("marked", Style.parse(f"underline {style}"))], PAGE)
    assert segment.style
    assert (segment.style.reverse, segment.style.underline) == (reverse, True)


@pytest.mark.parametrize("depth", ["256", "16", "none"])
def test_a_line_that_has_passed_passes_unchanged(depth):
    line = [Segment("text", Style.parse("bold reverse #5fb8a5 on #12161c")), Segment("more", Style(dim=True))]
    once = depth_filter(depth, True).apply(line, PAGE)
    assert depth_filter(depth, True).apply(once, PAGE) == once
    assert not any(segment.style and segment.style.dim for segment in once)


def test_ascii_keeps_styles_and_cells():
    style = Style.parse("bold red")
    assert AsciiFilter().apply([Segment("╭─ 日本 ─╮", style)], PAGE) == [Segment("+- ???? -+", style)]
