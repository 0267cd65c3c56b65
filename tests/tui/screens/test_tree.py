"""The tree of a session as a box: moving, marking, merging and searching in it."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from minigpt_tui.engine.requests import SamplingSettings
from minigpt_tui.engine.sessions.documents import export
from minigpt_tui.engine.sessions.records import TokenRecord
from minigpt_tui.engine.sessions.session_text import SessionText
from minigpt_tui.engine.sessions.store import SessionStore
from minigpt_tui.engine.sessions.tree import Node, Origin
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.screens.tree import TreeScreen
from minigpt_tui.tui.tree_rows import tree_rows
from minigpt_tui.tui.widgets.node_list import NodeList
from textual.pilot import Pilot

from ..nasty_text import nasty_text
from ..scripted_engine import ScriptedEngine
from ..seen import notices, screen_text
from ..test_foreign_text import OBEYED, shown

ORIGIN = Origin("/runs/a", "a", 100, 7, SamplingSettings())


class Clock:
    now = 0.0

    def __call__(self) -> float:
        self.now += 10
        return self.now


def generate(text: SessionText, words: str, probability: float = 0.25, offset: int | None = None) -> int:
    (node,) = text.begin(len(text) if offset is None else offset, ORIGIN)
    text.append(node, words, [TokenRecord(ord(c), probability, 0.25, 1, 1.0, 1) for c in words])
    text.finish(node, "length", tokens=len(words), origin=ORIGIN)
    return node


@pytest.fixture
def text() -> SessionText:
    """A text with side branches: two continuations, and an edit before them."""
    text = SessionText.create(SessionStore(in_memory=True), "document", clock=Clock())
    text.replace(0, 0, "Once upon a time there was")
    generate(text, " a mill by the sea", 0.5)
    generate(text, " [red]a king\x1b[31m\u202e who had", 0.1, 26)
    text.replace(len(text), len(text), "\n\nHe was old.")
    text.replace(12, 16, "night")
    generate(text, " And so on.", 0.02)
    return text


@asynccontextmanager
async def opened(
    text: SessionText, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[tuple[Pilot[Any], NodeList, list[int | None]]]:
    chosen: list[int | None] = []
    app = MinigptApp()
    async with app.run_test(size=size) as pilot:
        await app.push_screen(TreeScreen(text), chosen.append)
        await pilot.pause()
        yield pilot, app.screen.query_one(NodeList), chosen


def safely_shown(pilot: Pilot[Any]) -> str:
    assert isinstance(pilot.app, MinigptApp)
    return shown(pilot.app)


def rows(nodes: NodeList) -> list[str]:
    """What stands in each row of the list."""
    return [nodes.render_line(y).text.rstrip() for y in range(min(nodes.size.height, nodes.virtual_size.height))]


async def test_the_text_on_screen_stands_flush_and_its_side_branches_indented(
    engine: type[ScriptedEngine], text: SessionText
) -> None:
    async with opened(text) as (pilot, nodes, _):
        assert "\x1b" not in safely_shown(pilot)
        await pilot.pause(0.1)
        assert [" ".join(row.split()) for row in rows(nodes)] == [
            "› you Once upon a",
            "you ├ time there was 1/2",
            "gpt │ ├ a mill by the sea 0.69 1/2",
            "gpt │ [red]a king�[31m� who had 2.30 2/2",
            "you │ He was old.",
            "› you night 2/2",
            "› both there was [red]a king�[31m� who had He was ol… 2.30",
            "▸● gpt And so on. 3.91",
        ]


async def test_keys_move_to_rows_parents_and_what_follows(engine: type[ScriptedEngine], text: SessionText) -> None:
    async with opened(text) as (pilot, nodes, chosen):

        async def at(key: str) -> str:
            await pilot.press(key)
            assert nodes.node is not None
            return nodes.node.text.strip()[:8]

        keys = ("k", "h", "left", "home", "j", "down", "left", "right", "l", "G", "up", "g", "end")
        assert [await at(key) for key in keys] == [
            "there wa", "night", "Once upo", "Once upo", "time the", "a mill b", "time the", "[red]a k", "He was o",
            "And so o", "there wa", "Once upo", "And so o",
        ]  # fmt: skip
        await pilot.press("home", "j", "j", "enter")
        await pilot.pause()
        (node,) = chosen
        assert node is not None
        assert text.tree.nodes[node].text == " a mill by the sea"
    text.choose(node)
    assert text.text == "Once upon a time there was a mill by the sea"


async def test_a_click_chooses_the_row_under_the_cursor(engine: type[ScriptedEngine], text: SessionText) -> None:
    async with opened(text) as (pilot, nodes, chosen):
        await pilot.click(NodeList, offset=(10, 4))
        assert nodes.cursor == 4
        await pilot.click(NodeList, offset=(10, 4))
        await pilot.pause()
        assert chosen == [nodes.node and nodes.node.id]


async def test_nodes_are_marked_deleted_restored_and_merged(engine: type[ScriptedEngine], text: SessionText) -> None:
    async with opened(text) as (pilot, nodes, chosen):
        await pilot.press("end", "b", "home", "j", "b")
        assert rows(nodes)[1].endswith("1/2 ★")
        await pilot.press("B")
        assert nodes.cursor == 7
        await pilot.press("b", "B", "B")
        assert nodes.cursor == 1, "the only one"
        await pilot.press("d")
        seen = rows(nodes)
        assert len(seen) == 5, "what follows it is gone with it"
        assert seen[1].endswith("deleted ★")
        await pilot.press("enter")
        assert "d brings it back" in notices(pilot)[-1]
        await pilot.press("d")
        assert len(rows(nodes)) == 8
        await pilot.press("end", "k", "m")
        assert [row[8:24].strip() for row in rows(nodes)][-2:] == ["night there was", "And so on."]
        await pilot.press("home", "m")
        assert "begins the text" in notices(pilot)[-1]
        await pilot.press("u")
        assert len(rows(nodes)) == 8
        await pilot.press("escape")
        assert chosen == [None]
    assert text.text.startswith("Once upon a night there was")


async def test_words_are_found_one_after_the_other(engine: type[ScriptedEngine], text: SessionText) -> None:
    async with opened(text) as (pilot, nodes, _):
        await pilot.press("slash", *"KING", "enter")
        assert "1 of 2 found: KING" in screen_text(pilot.app)
        first = nodes.cursor
        await pilot.press("n")
        assert nodes.cursor > first
        await pilot.press("n")
        assert nodes.cursor == first, "from the beginning again"
        await pilot.press("N")
        assert "2 of 2" in screen_text(pilot.app)
        await pilot.press("slash", *"x", "enter")
        assert "Nothing was found for 'x'" in notices(pilot)[-1]
        await pilot.press("slash", "escape")
        assert isinstance(pilot.app.screen, TreeScreen)
        await pilot.press("escape")
        assert not isinstance(pilot.app.screen, TreeScreen)


async def test_only_what_is_in_view_of_thousands_of_nodes_is_read(engine: type[ScriptedEngine]) -> None:
    text = SessionText.create(SessionStore(in_memory=True), "document", clock=Clock())
    for number in range(400):
        generate(text, f" {number}")
        text.begin(len(text), ORIGIN, 2)
    read: list[int] = []

    class Reading(SessionText):
        def records(self, node: Node | int) -> list[TokenRecord]:
            read.append(self._node(node).id)
            return super().records(node)

    text.__class__ = Reading
    async with opened(text) as (pilot, nodes, _):
        await pilot.pause(0.1)
        assert nodes.virtual_size.height == len(tree_rows(text)) == 1200
        for key in ("home", "pagedown", "end", "pageup", "k", "h"):
            await pilot.press(key)
        await pilot.pause(0.1)
        assert 0 < len(set(read)) < 200


@pytest.mark.parametrize("count", [30, pytest.param(10_000, marks=pytest.mark.long)])
async def test_no_text_changes_a_style_or_is_obeyed(engine: type[ScriptedEngine], count: int) -> None:
    """Strings that a model, a person or a file may hold, as nodes: their rows are as wide as others, and plain."""
    draw = random.Random(count)
    text = SessionText.create(SessionStore(in_memory=True), "document", clock=Clock())
    for number in range(count):
        words = nasty_text(draw, 60) + draw.choice(["\x1b]0;OWNED\x07", "\ud800", "[bold red]", "\u2066\u061c", ""])
        if number % 2:
            generate(text, words or "x")
        else:
            text.add(text.leaf if number % 7 else None, "person", words or "x")
    async with opened(text, (60, 20)) as (pilot, nodes, _):
        safely_shown(pilot)
        await pilot.pause(0.2)
        for number in range(0, nodes.virtual_size.height, nodes.size.height):
            nodes.cursor = number
            nodes.scroll_to(0, number, animate=False)
            for y in range(nodes.size.height):
                strip = nodes.render_line(y)
                assert strip.cell_length == nodes.scrollable_content_region.width
                assert not OBEYED.search(strip.text)
                assert len({segment.style for segment in strip}) <= 5
        await pilot.pause()
        safely_shown(pilot)
    for form in ("json", "markdown", "text"):
        exported = export(text._store, text.session, form)
        assert not OBEYED.search(exported.replace("\n", "").replace("\t", "")), form
        assert exported.encode()
