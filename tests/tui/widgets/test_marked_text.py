"""A text with marked parts: wrapped, painted, and the current one in view."""

from __future__ import annotations

import pytest
from minigpt_tui.tui.widgets.marked_text import MarkedText
from textual.geometry import Size

from ..host import Host

LINES = "".join(f"line {number} of a text that is wrapped at its width\n" for number in range(60))


def painted(widget: MarkedText) -> list[list[tuple[str, bool]]]:
    """Each row in view: pieces, and whether they are marked."""
    base = widget.get_component_rich_style("marked-text--text")
    return [
        [(segment.text, segment.style not in (None, base)) for segment in widget.render_line(y) if segment.text.strip()]
        for y in range(widget.size.height)
    ]


@pytest.mark.parametrize("number", [0, 3, 30, 59])
async def test_the_current_part_is_in_view_and_stays_there_at_another_width(number: int) -> None:
    widget = MarkedText()
    start = LINES.index(f"line {number} ")
    async with Host(widget).run_test(size=(40, 8)) as pilot:
        widget.show(LINES, (start, start + len("line")))
        await pilot.pause()
        for width in (40, 23):
            await pilot.resize_terminal(width, 8)
            await pilot.pause()
            marked = [text for row in painted(widget) for text, is_marked in row if is_marked]
            assert marked == ["line"]
            assert widget.virtual_size == Size(widget.scrollable_content_region.width, widget.virtual_size.height)


async def test_parts_are_marked_character_by_character_and_text_is_no_markup() -> None:
    widget = MarkedText()
    text = "a [b]wide[/b] 漢字\x1b[2J\u202e\tend"
    async with Host(widget).run_test(size=(40, 4)) as pilot:
        widget.show(text, (14, 16), [(2, 5), (8, 14)])
        await pilot.pause()
        pieces = [text for text, _ in painted(widget)[0]]
        assert pieces == ["a ", "[b]", "wid", "e[/b] ", "漢字", "␛[2J\ufffd end"]
        assert widget.current == "漢字"


async def test_a_part_longer_than_the_view_begins_at_its_top() -> None:
    widget = MarkedText()
    async with Host(widget).run_test(size=(40, 5)) as pilot:
        start = LINES.index("line 20")
        widget.show(LINES, (start, start + 1000))
        await pilot.pause()
        assert painted(widget)[0][0][0].startswith("line 20")
