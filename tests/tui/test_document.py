"""The document way by its keys: one text that person and model write, with a scripted engine of one token a letter."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
from minigpt_tui.engine.requests import Alternative, ExplainPlace, Generate, Load, ScoreText, TokenDetail
from minigpt_tui.engine.sessions.session_text import SessionText
from minigpt_tui.engine.sessions.store import SessionStore
from minigpt_tui.tui import generator
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.screens.checkpoints import CheckpointsBox
from minigpt_tui.tui.screens.document_way import DocumentWay
from minigpt_tui.tui.screens.tree import TreeScreen
from minigpt_tui.tui.screens.write import WriteDesk
from minigpt_tui.tui.settings import Settings, load_settings, save_settings
from minigpt_tui.tui.widgets.siblings_panel import Sibling
from minigpt_tui.tui.widgets.token_panel import TokenPlace
from textual.pilot import Pilot
from textual.widgets import OptionList

from .next_way import next_way
from .runs_on_disk import make_run
from .scripted_engine import LetterEngine, ScriptedEngine
from .seen import notices, screen_text
from .waiting import wait_until

Engine = type[LetterEngine]


@pytest.fixture
def letters(engine: type[ScriptedEngine], monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The engine of letters, and a run with a model."""

    class Letters(LetterEngine):
        processes = []
        words = ["once", "twice", "thrice"]

    monkeypatch.setattr(generator, "GenerateProcess", Letters)
    make_run("a-01")
    return Letters


def way(pilot: Pilot[Any]) -> DocumentWay:
    desk = pilot.app.get_screen_stack("write")[0]
    assert isinstance(desk, WriteDesk)
    assert isinstance(desk.shown, DocumentWay)
    return desk.shown


def text(pilot: Pilot[Any]) -> str:
    """What the pane shows, which is what the session has."""
    session = way(pilot).session
    assert session.id is None or session.text.text == way(pilot).pane.text
    return way(pilot).pane.text


def requests(letters: Engine, kind: type[Any]) -> list[Any]:
    process = letters.processes[-1]
    assert isinstance(process, LetterEngine)
    return process.asked(kind)


@asynccontextmanager
async def opened(size: tuple[int, int] = (120, 40)) -> AsyncIterator[Pilot[Any]]:
    """The app in the document way."""
    app = MinigptApp(poll_interval=0.01)
    async with app.run_test(size=size) as pilot:
        await wait_until(pilot, lambda: app.bridge.generator.loaded is not None)
        desk = app.get_screen_stack("write")[0]
        assert isinstance(desk, WriteDesk)
        if desk.way != "document":
            await next_way(pilot)
        await wait_until(pilot, lambda: app.focused is way(pilot).pane)
        yield pilot


async def press(pilot: Pilot[Any], *keys: str) -> None:
    """Press keys and let the model come to an end."""
    await pilot.press(*keys)
    await pilot.pause()
    await wait_until(pilot, lambda: not way(pilot).editor.writing and way(pilot).pane.is_settled)
    await pilot.pause()


async def test_the_model_goes_on_from_what_the_person_wrote_and_both_are_told_apart(letters: Engine):
    async with opened() as pilot:
        await press(pilot, *"ab", "space", "ctrl+n")
        assert text(pilot) == "ab once"
        (asked,) = requests(letters, Generate)
        assert (asked.prompt, asked.then, asked.explain) == ("ab ", (), True)
        assert asked.settings.temperature == 1.0, "it begins neutral"
        assert asked.settings.top_p == 1.0
        assert "▌ ab once" in screen_text(pilot.app)
        assert "─ document ─" in screen_text(pilot.app)
        status = "4 tokens · 500/s · loss 0.69 · perplexity 2.0 · step 200"
        await wait_until(pilot, lambda: status in screen_text(pilot.app))


async def test_each_key_that_goes_on(letters: Engine):
    async with opened() as pilot:
        for key in ("ctrl+n", "ctrl+enter", "ctrl+j"):
            before = text(pilot)
            await press(pilot, key)
            assert text(pilot) > before


async def test_a_text_goes_on_where_it_stopped_by_the_ids_of_its_tokens(letters: Engine):
    async with opened() as pilot:
        await press(pilot, "a", "ctrl+n", "ctrl+n")
        assert text(pilot) == "aoncetwice"
        assert (requests(letters, Generate)[-1].prompt, requests(letters, Generate)[-1].then) == (
            "a",
            tuple(map(ord, "once")),
        )


async def test_going_on_from_the_middle_keeps_what_stood_there_as_a_branch(letters: Engine):
    async with opened() as pilot:
        await press(pilot, *"abc", "ctrl+n", "home", "right", "ctrl+n")
        assert text(pilot) == "atwice"
        assert "2 of 2 siblings here" in screen_text(pilot.app)
        await press(pilot, "alt+up")
        assert text(pilot) == "abconce"
        assert "1 of 2 siblings here" in screen_text(pilot.app)
        await press(pilot, "alt+up")
        assert text(pilot) == "atwice"


async def test_undo_and_redo_step_over_both_and_over_edits_in_the_middle(letters: Engine):
    async with opened() as pilot:
        await press(pilot, *"ab", "ctrl+n")
        await press(pilot, "home", "right", "X")
        assert text(pilot) == "aXbonce"
        seen = []
        for _ in range(3):
            await press(pilot, "ctrl+u")
            seen.append(text(pilot))
        assert seen == ["abonce", "ab", ""]
        for _ in range(3):
            await press(pilot, "ctrl+e")
            seen.append(text(pilot))
        assert seen[3:] == ["ab", "abonce", "aXbonce"]
        await press(pilot, "ctrl+e")
        assert notices(pilot)[-1] == "There is nothing to do again."


async def test_retry_writes_another_in_the_place_of_the_last(letters: Engine):
    save_settings(Settings(document_sampling=replace_seed(7)))
    async with opened() as pilot:
        await press(pilot, "a", "ctrl+n", "ctrl+k")
        assert text(pilot) == "atwice"
        assert [request.settings.seed for request in requests(letters, Generate)] == [7, None], "not the same again"
        assert "2 of 2 siblings here" in screen_text(pilot.app)
        await press(pilot, "ctrl+u")
        assert text(pilot) == "aonce"


@pytest.mark.long
async def test_retry_without_anything_written_is_a_sentence(letters: Engine):
    async with opened() as pilot:
        await press(pilot, "a", "ctrl+k")
        assert "nothing before the cursor" in notices(pilot)[-1]
        await press(pilot, "alt+down")
        assert "no other continuation" in notices(pilot)[-1]


async def test_escape_stops_and_what_was_written_stays(letters: Engine):
    letters.holds_words = True
    async with opened() as pilot:
        await pilot.press("a", "ctrl+n")
        await wait_until(pilot, lambda: text(pilot) == "aonce")
        await wait_until(pilot, lambda: "Esc stops" in screen_text(pilot.app))
        await press(pilot, "escape")
        assert text(pilot) == "aonce"
        await wait_until(pilot, lambda: "stopped" in screen_text(pilot.app))
        letters.holds_words = False
        await press(pilot, "ctrl+n")
        assert text(pilot) == "aoncetwice"


async def test_typing_while_the_model_writes_stops_it_first(letters: Engine):
    letters.holds_words = True
    async with opened() as pilot:
        await pilot.press("a", "ctrl+n")
        await wait_until(pilot, lambda: text(pilot) == "aonce")
        await press(pilot, "x")
        assert text(pilot) == "aoncex"
        await press(pilot, "ctrl+u")
        assert text(pilot) == "aonce"


async def test_several_continuations_are_siblings_of_which_one_is_chosen_by_key_or_mouse(letters: Engine):
    save_settings(Settings(document_samples=3))
    async with opened() as pilot:
        await press(pilot, "a", "ctrl+n")
        assert text(pilot) == "aonce"
        await wait_until(pilot, lambda: "3 thrice" in screen_text(pilot.app))
        assert "1 of 3 siblings here" in screen_text(pilot.app)
        way(pilot).sibling_list.query_one(OptionList).focus()
        await pilot.pause()
        await press(pilot, "down", "enter")
        assert text(pilot) == "atwice"
        await pilot.click("#siblings OptionList", offset=(6, 2))
        await press(pilot)
        assert text(pilot) == "athrice"
        await press(pilot, "f4", "x")
        assert text(pilot) == "athricex", "edited before it goes on"


async def test_the_token_under_the_cursor_is_explained_and_an_alternative_goes_on_from_there(letters: Engine):
    async with opened() as pilot:
        await press(pilot, "a", "ctrl+n", "left", "left")
        then = tuple(map(ord, "on"))
        await wait_until(pilot, lambda: [asked.then for asked in requests(letters, ExplainPlace)][-1:] == [then])
        await wait_until(pilot, lambda: "'c'  " in screen_text(pilot.app))
        assert requests(letters, ExplainPlace)[-1].prompt == "a"
        screen = screen_text(pilot.app)
        assert "p 0.5000 → drawn 0.5000" in screen
        assert "the rest" in screen
        await press(pilot, "tab", "down", "enter")
        assert text(pilot) == "aonbtwice"
        assert requests(letters, Generate)[-1].then == tuple(map(ord, "onb")), "by its id"
        await press(pilot, "ctrl+u", "ctrl+u")
        assert text(pilot) == "aonce"


async def test_f7_colours_recorded_words_and_has_the_others_scored(letters: Engine):
    async with opened() as pilot:
        await press(pilot, *"ab", "ctrl+n", "f7")
        pane = way(pilot).pane
        await wait_until(pilot, lambda: pane.token_at(0) is not None)
        assert [token.probability for i in range(6) if (token := pane.token_at(i))] == [0.25, 0.25, 0.5, 0.5, 0.5, 0.5]
        assert [request.text for request in requests(letters, ScoreText)] == ["abonce"]
        await press(pilot, "f7")
        assert not pane.coloured


async def test_again_on_another_checkpoint_writes_with_the_same_seed_and_comes_back(letters: Engine):
    async with opened() as pilot:
        run = way(pilot).editor._bridge.run  # pyright: ignore[reportPrivateUsage]
        assert run is not None
        (run.checkpoints / "step-000100").mkdir()
        (run.checkpoints / "step-000100" / "minigpt.json").write_text("{}")
        await press(pilot, "a", "ctrl+n", "alt+n")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, CheckpointsBox))
        await pilot.pause()
        assert "step 100" in screen_text(pilot.app)
        await press(pilot, "down", "enter")
        await wait_until(pilot, lambda: text(pilot) == "atwice")
        await press(pilot)
        assert requests(letters, Generate)[-1].settings.seed == 100
        loads = [request.path for request in requests(letters, Load)]
        assert loads[-2:] == [str(run.checkpoints / "step-000100"), str(run.path)]
        assert "2 of 2 siblings here" in screen_text(pilot.app)


async def test_everything_is_there_at_the_next_start_with_way_cursor_and_undo(letters: Engine):
    async with opened() as pilot:
        await press(pilot, *"abc", "ctrl+n", "home", "right", "ctrl+n")
        await press(pilot, "left", "left")
    async with opened() as pilot:
        assert text(pilot) == "atwice"
        assert way(pilot).pane.cursor == 4
        await press(pilot, "ctrl+u")
        assert text(pilot) == "abconce"


async def test_a_new_session_is_an_empty_page_and_leaves_no_trace_until_something_is_written(letters: Engine):
    async with opened() as pilot:
        await press(pilot, *"first")
        await press(pilot, "ctrl+l")
        assert text(pilot) == ""
        assert "and press Ctrl+N" in screen_text(pilot.app)
    store = SessionStore()
    assert [(session.title, session.way) for session in store.sessions()] == [("first", "document")]
    assert SessionText(store, store.sessions()[0].id).text == "first"
    store.close()


@pytest.mark.long
async def test_the_settings_of_the_document_are_its_own(letters: Engine):
    async with opened() as pilot:
        await press(pilot, "f3", "up", "f4")
    assert load_settings()[0].document_sampling.temperature == 1.05
    assert load_settings()[0].sampling.temperature == 0.8


@pytest.mark.long
@pytest.mark.parametrize("size", [(60, 20), (80, 24)], ids=["60x20", "80x24"])
async def test_in_a_narrow_window_the_panels_take_turns(letters: Engine, size: tuple[int, int]):
    async with opened(size) as pilot:
        await press(pilot, "a", "ctrl+n")
        shown = []
        for _ in range(6):
            await press(pilot, "f2")
            panels = way(pilot).panels
            shown.append([panel.id for panel in panels.children if panel.display and panels.display])
        assert shown == [
            ["token"], ["siblings"], ["document-sampling"], ["document-training"], ["document-model"], [],
        ]  # fmt: skip


async def test_all_panels_are_in_view_in_a_wide_window_and_the_model_in_a_tall_one(letters: Engine):
    likely = tuple(Alternative(n, chr(97 + n), 0.1, 0.1) for n in range(10))
    siblings = [Sibling(n, "words", 1.5) for n in range(12)]
    async with opened((120, 40)) as pilot:
        document = way(pilot)
        await press(pilot, "a")
        await wait_until(pilot, lambda: "next token" in screen_text(pilot.app))
        document.tokens.show(TokenPlace(likely, 2.0, 0.1, TokenDetail(0, "a", 0.1, 0.1, 1, 2.0, likely)))
        document.sibling_list.show(siblings, 3)
        for size, shown in (((120, 40), 4), ((200, 60), 5)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert len(in_view(pilot)) == shown, f"at {size}"
            assert "step 200" in screen_text(pilot.app)
            document.tokens.show(TokenPlace(likely, 2.0, 0.1, TokenDetail(0, "a", 0.1, 0.1, 1, 2.0, likely)))
            document.sibling_list.show(siblings, 3)


def in_view(pilot: Pilot[Any]) -> list[str | None]:
    """The panels that the window has room for, each of them whole."""
    document = way(pilot)
    panels = [panel for panel in document.panels.children if panel.display and panel.region]
    for above, panel in pairwise(panels):
        assert above.region.bottom == panel.region.y
    assert panels[-1].region.bottom <= document.pane.region.bottom
    assert all(panel.region.height > 2 for panel in panels)
    return [panel.id for panel in panels]


@pytest.mark.parametrize(
    ("size", "shown"),
    [((120, 24), ["token", "siblings", "document-sampling"]), ((100, 20), ["token", "siblings"])],
    ids=["120x24", "100x20"],
)
async def test_in_a_short_window_no_panel_is_cut_and_lists_scroll(
    letters: Engine, size: tuple[int, int], shown: list[str]
):
    likely = tuple(Alternative(n, chr(97 + n), 0.1, 0.1) for n in range(10))
    async with opened(size) as pilot:
        document = way(pilot)
        await press(pilot, "a")
        await wait_until(pilot, lambda: "next token" in screen_text(pilot.app))
        document.tokens.show(TokenPlace(likely, 2.0, 0.1, TokenDetail(0, "a", 0.1, 0.1, 1, 2.0, likely)))
        document.sibling_list.show([Sibling(n, "words", 1.5) for n in range(12)], 3)
        await wait_until(pilot, lambda: in_view(pilot) == shown and document.tokens.region.height > 7)
        rows = screen_text(pilot.app).splitlines()
        assert sum("'b'" in row and "0.1000" in row for row in rows) == 1, "the bar hides no figure"
        assert not any("'j'" in row for row in rows)
        document.tokens.list.focus()
        await pilot.press("end", "up")
        await wait_until(pilot, lambda: "'j'" in screen_text(pilot.app))
        await pilot.press("f3")
        await wait_until(pilot, lambda: "document-sampling" in in_view(pilot))
        assert "temperature" in screen_text(pilot.app), "the panel with the focus is never left out"
        document.sampling.query_one("#fold").focus()
        await pilot.press("enter")
        await wait_until(pilot, lambda: "forbid" in screen_text(pilot.app))
        assert "document-sampling" in in_view(pilot)
        await pilot.press("escape")
        await wait_until(pilot, lambda: "token" in in_view(pilot))


def replace_seed(seed: int) -> Any:
    from dataclasses import replace

    return replace(Settings().document_sampling, seed=seed)


async def test_the_tree_has_every_version_and_enter_goes_there(letters: Engine):
    async with opened() as pilot:
        assert "^x tree" not in screen_text(pilot.app), "there is none yet"
        await press(pilot, "a", "ctrl+n", "ctrl+k", "ctrl+k")
        assert "^x tree" in screen_text(pilot.app)
        assert text(pilot) == "athrice"
        await pilot.press("ctrl+x")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, TreeScreen))
        await pilot.pause()
        await pilot.press("up", "enter")
        await wait_until(pilot, lambda: pilot.app.screen is way(pilot).screen)
        await press(pilot)
        assert text(pilot) == "atwice"
        await pilot.press("ctrl+x")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, TreeScreen))
        await pilot.pause()
        await pilot.press("d", "escape")
        await wait_until(pilot, lambda: pilot.app.screen is way(pilot).screen)
        await press(pilot)
        assert text(pilot) == "a", "what is on the screen was deleted"
        await press(pilot, "ctrl+u")
        assert text(pilot) == "atwice"


@pytest.mark.long
async def test_words_are_found_in_the_document(letters: Engine):
    async with opened() as pilot:
        await press(pilot, *"abab", "ctrl+f", *"ab")
        await wait_until(pilot, lambda: "2 found" in screen_text(pilot.app) or "of 2" in screen_text(pilot.app))
        await press(pilot, "escape", "x")
        assert "x" in text(pilot)
