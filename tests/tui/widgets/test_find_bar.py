from contextlib import asynccontextmanager

import pytest
from minigpt_tui.tui.widgets.document_pane import DocumentPane
from minigpt_tui.tui.widgets.find_bar import FindArea, FindBar
from minigpt_tui.tui.widgets.searchable_view import SearchableView
from minigpt_tui.tui.widgets.transcript import Transcript
from textual.widgets import Static

from ..host import Host
from ..seen import screen_text
from ..waiting import wait_until


class FindHost(Host):
    def __init__(self, view: SearchableView) -> None:
        super().__init__(FindArea(view))
        self.escapes = 0

    def key_escape(self) -> None:
        self.escapes += 1


@asynccontextmanager
async def searched(view: SearchableView):
    app = FindHost(view)
    async with app.run_test(size=(40, 10)) as pilot:
        view.focus()
        await pilot.pause()
        yield app, pilot


def count(app: FindHost) -> str:
    return str(app.query_one("#find-count", Static).render())


def marked(view: SearchableView, background: str) -> list[str]:
    """The parts of the rows in view with the background of a component class."""
    color = view.get_component_rich_style(background).bgcolor
    strips = [view.render_line(y) for y in range(view.size.height)]
    return [text for strip in strips for text, style, _ in strip if style and style.bgcolor == color]


async def test_a_document_is_searched_while_it_is_written():
    pane = DocumentPane()
    async with searched(pane) as (app, pilot):
        pane.load("the night\n" + "line\n" * 30 + "The night", cursor=0)
        await pilot.press("slash")
        assert pane.text.startswith("/the"), "it is typed text here"
        await pilot.press("ctrl+f", *"the", "space", *"night")
        assert app.query_one(FindBar).display
        assert count(app) == "1 of 2"
        assert marked(pane, "document--hit-current") == ["he night"], "the cursor is on its first letter"
        await pilot.press("enter")
        assert count(app) == "2 of 2"
        assert "The night" in screen_text(app)
        pane.stream("\nthe ni")
        pane.stream("ght")
        await wait_until(pilot, lambda: count(app) == "2 of 3")
        await pilot.press("down", "down")
        assert count(app) == "1 of 3"
        await pilot.press("up", "up")
        assert count(app) == "2 of 3"
        await pilot.press("escape", "x")
        assert not app.query_one(FindBar).display
        assert "xThe night" in pane.text, "the cursor is where the search ended"
        assert marked(pane, "document--hit-current") == marked(pane, "document--hit") == []
        assert app.escapes == 0


async def test_a_conversation_is_searched_while_it_streams():
    transcript = Transcript()
    async with searched(transcript) as (app, pilot):
        transcript.begin_turn("model", "the night\n" + "line\n" * 30 + "The night")
        await wait_until(pilot, lambda: transcript.is_settled)
        await pilot.press("g", "slash", *"the", "space", *"NIGHT")
        assert count(app) == "1 of 2"
        assert marked(transcript, "transcript--hit-current") == ["the night"]
        await pilot.press("enter")
        assert not app.query_one(FindBar).display
        await pilot.press("n")
        assert transcript.found == (2, 2)
        assert marked(transcript, "transcript--hit-current") == ["The night"]
        transcript.append(" of the night")
        await wait_until(pilot, lambda: transcript.found == (2, 3))
        await pilot.press("n", "n", "N", "n", "n")
        assert transcript.found == (2, 3)
        await pilot.resize_terminal(20, 10)
        await wait_until(pilot, lambda: transcript.wrapped_width < 20)
        assert transcript.found == (2, 3)
        await pilot.press("escape")
        assert transcript.found == (0, 0)
        assert marked(transcript, "transcript--hit") == []
        assert app.escapes == 0
        await pilot.press("escape")
        assert app.escapes == 1, "with nothing marked it is the screen's key"


async def test_words_that_stand_nowhere_and_no_words_at_all():
    transcript = Transcript()
    async with searched(transcript) as (app, pilot):
        await pilot.press("slash", "a")
        assert count(app) == "not found"
        await pilot.press("enter", "n", "N")
        transcript.begin_turn("you", "[a]")
        await wait_until(pilot, lambda: transcript.found == (0, 1))
        await pilot.press("n")
        assert transcript.found == (1, 1)
        await pilot.press("slash")
        assert count(app) == "1 of 1", "the words of the last time are there"
        await pilot.press("backspace")
        assert (count(app), transcript.found) == ("", (0, 0))
        await pilot.press("enter")
        assert not app.query_one(FindBar).display
        assert transcript.has_focus


async def test_escape_ends_the_search_from_the_text_as_well():
    pane = DocumentPane()
    async with searched(pane) as (app, pilot):
        pane.load("the night")
        await pilot.press("ctrl+f", *"night")
        await pilot.click(pane, offset=(3, 0))
        assert pane.has_focus
        assert (pane.found, app.query_one(FindBar).display) == ((1, 1), True)
        await pilot.press("escape")
        await pilot.pause()
        assert (pane.found, app.query_one(FindBar).display, app.escapes) == ((0, 0), False, 0)
        assert pane.has_focus
        await pilot.press("escape")
        assert app.escapes == 1


async def test_another_conversation_is_searched_for_the_same_words():
    transcript = Transcript()
    async with searched(transcript) as (app, pilot):
        transcript.begin_turn("you", "a and a")
        await wait_until(pilot, lambda: transcript.is_settled)
        await pilot.press("slash", "a")
        assert transcript.found == (1, 3)
        transcript.clear()
        assert transcript.found == (0, 0)
        transcript.begin_turn("you", "ba")
        await wait_until(pilot, lambda: transcript.found == (0, 1))
        assert count(app) == "1 found"


@pytest.mark.parametrize("kind", [DocumentPane, Transcript])
async def test_a_hit_stays_in_view_while_text_streams_in(kind: type[DocumentPane | Transcript]):
    view = kind()
    async with searched(view) as (app, pilot):
        if isinstance(view, Transcript):
            view.begin_turn("model")
        add = view.append if isinstance(view, Transcript) else view.stream
        add("line\n" * 30 + "the night\n")
        await wait_until(pilot, lambda: view.is_settled)
        view.find("night")
        offset = view.scroll_offset
        add("more\n" * 30)
        await wait_until(pilot, lambda: view.is_settled)
        await pilot.pause()
        assert "the night" in screen_text(app)
        assert view.scroll_offset == offset
        view.find("")
        add("end")
        await wait_until(pilot, lambda: view.is_settled)
        await pilot.pause()
        assert "end" in screen_text(app), "then it follows again"
