"""The siblings panel by itself."""

import pytest
from minigpt_tui.tui.widgets.siblings_panel import Sibling, SiblingsPanel

from ..host import Host
from ..seen import screen_text


@pytest.mark.parametrize(("count", "rows"), [(0, 2), (1, 2), (2, 2), (5, 5), (6, 6), (30, 6)])
async def test_it_is_as_high_as_what_it_shows_and_scrolls_beyond_six_rows(count: int, rows: int):
    panel = SiblingsPanel()
    async with Host(panel).run_test(size=(40, 30)) as pilot:
        panel.show([Sibling(node, f"words {node} end", 1.5) for node in range(count)], count - 1)
        await pilot.pause()
        assert panel.content_size.height == rows
        assert count == 0 or f"words {count - 1} end" in screen_text(pilot.app), "the one in the text is in view"
