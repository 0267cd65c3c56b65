"""How often widgets are styled: once when a desk is made, and what has the focus when that changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from minigpt_tui.tui.app import MinigptApp
from textual.css.stylesheet import Stylesheet
from textual.dom import DOMNode
from textual.widget import Widget


@contextmanager
def styled(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[Widget]]:
    """How often each widget is styled."""
    counts, apply = Counter[Widget](), Stylesheet.apply

    def counting(self: Stylesheet, node: DOMNode, **options: object) -> None:
        if isinstance(node, Widget):
            counts[node] += 1
        apply(self, node, **options)  # pyright: ignore[reportArgumentType]

    with monkeypatch.context() as patch:
        patch.setattr(Stylesheet, "apply", counting)
        yield counts


@pytest.mark.parametrize("width", [80, 120])
async def test_the_first_desk_is_styled_once(home: Path, monkeypatch: pytest.MonkeyPatch, width: int):
    app = MinigptApp()
    with styled(monkeypatch) as counts:
        async with app.run_test(size=(width, 40)) as pilot:
            await pilot.pause()
            shown = list(app.screen.walk_children(Widget, with_self=True))
            again = {str(widget): counts[widget] for widget in shown if counts[widget] > 2}
            assert again == {}, "two: what begins with the focus, and values that are checked"
            assert sum(counts[widget] for widget in shown) < 1.5 * len(shown)


async def test_a_change_of_focus_styles_only_what_shows_it(home: Path, monkeypatch: pytest.MonkeyPatch):
    app = MinigptApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        with styled(monkeypatch) as counts:
            await pilot.press("tab")
            await pilot.pause()
        assert app.screen.query_one("#sampling") in counts
        assert not {app.screen.query_one(name) for name in ("#training", "#transcript", "#header")} & set(counts)
