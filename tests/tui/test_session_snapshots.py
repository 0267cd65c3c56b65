"""Pictures of the tree of a session and of the list of sessions, dark and light, in the three sizes.

After a wanted change: run pytest on this file with --snapshot-update, and look at them.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from minigpt_tui.engine.requests import SamplingSettings
from minigpt_tui.engine.sessions.records import TokenRecord
from minigpt_tui.engine.sessions.session_text import SessionText
from minigpt_tui.engine.sessions.store import SessionStore
from minigpt_tui.engine.sessions.tree import Origin, Way
from minigpt_tui.tui import screens
from minigpt_tui.tui.screens.sessions import SessionsScreen
from minigpt_tui.tui.screens.tree import TreeScreen
from minigpt_tui.tui.themes import THEMES
from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen

LOOKS = [
    pytest.param((width, height), theme, id=f"{width}x{height}-{theme.removeprefix('minigpt-')}")
    for width, height in ((60, 20), (80, 24), (120, 40))
    for theme in ("minigpt-dark", "minigpt-light")
]
STYLES = Path(screens.__file__).parents[1] / "styles"
ORIGIN = Origin("/runs/tales-01", "tales-01", 1200, 7, SamplingSettings())


class Above(App[None]):
    """An app with one screen above an empty one."""

    CSS_PATH = [STYLES / name for name in ("app.tcss", "lists.tcss", "boxes.tcss")]

    def __init__(self, screen: Screen[Any], theme: str) -> None:
        super().__init__()
        for one in THEMES:
            self.register_theme(one)
        self.theme = theme
        self._above = screen

    def on_mount(self) -> None:
        self.push_screen(self._above)


def generate(text: SessionText, words: str, probability: float, offset: int | None = None) -> int:
    (node,) = text.begin(len(text) if offset is None else offset, ORIGIN)
    text.append(node, words, [TokenRecord(ord(c), probability, 0.25, 1, 1.0, 1) for c in words])
    text.finish(node, "length", tokens=len(words), origin=ORIGIN)
    return node


def written() -> SessionText:
    """A text with two continuations, an edit before them, a bookmark, and a node that was deleted."""
    now = iter(range(0, 10_000, 10))
    text = SessionText.create(SessionStore(in_memory=True), "document", clock=lambda: float(next(now)))
    text.replace(0, 0, "Late in autumn, on a rainy evening, ")
    generate(text, "a miller counted seven sacks.", 0.3)
    king = generate(text, "[an old king] 日本語 opened the door, and nobody stood there, only the wind.", 0.2, 36)
    text.replace(len(text), len(text), "\n\nHe closed it again.")
    text.replace(8, 14, "winter")
    samples = text.begin(len(text), ORIGIN, 3)
    for number, (node, words) in enumerate(zip(samples, (" It snowed.", " Then came", " In spring"), strict=True)):
        text.append(node, words, [TokenRecord(1, 0.1 * (number + 1), 0.5, 1, 1.0, len(words))])
        text.finish(node, "length", tokens=1)
    text.mark(king, bookmarked=True)
    text.mark(samples[1], deleted=True)
    return text


async def settle(pilot: Pilot[None]) -> None:
    """Wait for the losses of the rows, and for the columns of the table."""
    await pilot.pause(0.2)


@pytest.mark.parametrize(("size", "theme"), LOOKS)
def test_tree(snap_compare: Any, size: tuple[int, int], theme: str) -> None:
    assert snap_compare(Above(TreeScreen(written()), theme), terminal_size=size, run_before=settle)


@pytest.mark.parametrize(("size", "theme"), LOOKS)
def test_sessions(snap_compare: Any, size: tuple[int, int], theme: str) -> None:
    store = SessionStore(in_memory=True)
    ways: dict[Way, str] = {
        "turns": "ROMEO: what light through yonder window breaks?",
        "document": "Late in autumn, on a rainy evening, [a miller] counted seven sacks of 日本 flour.",
        "chat": "Hello! Who are you?",
    }
    for number, (way, words) in enumerate(ways.items()):
        session = store.create(way, f"/runs/tales-0{number}")
        store.add(session, store.add(session, None, "person", words), "model", " And so on, as it went on before." * 9)
        store.execute("UPDATE sessions SET changed = ? WHERE id = ?", time.time() - 3600 * (5 - number), session)
    store.set_tags(2, ["keep", "mill"])
    assert snap_compare(Above(SessionsScreen(store, 2), theme), terminal_size=size, run_before=settle)
