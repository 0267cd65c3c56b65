"""Sessions in the app: what is said is saved as it is said, is there at the next start, and is found in the list."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from minigpt_tui.engine.requests import Generate, Tokens
from minigpt_tui.engine.sessions.documents import export
from minigpt_tui.engine.sessions.store import SessionStore
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.screens.questions import Question
from minigpt_tui.tui.screens.sessions import ChosenSession, SessionsScreen
from minigpt_tui.tui.screens.turns_way import TurnsWay
from minigpt_tui.tui.screens.write import WriteDesk
from textual.pilot import Pilot
from textual.widgets import Input

from .runs_on_disk import make_run
from .scripted_engine import ScriptedEngine
from .seen import notices, screen_text
from .waiting import wait_until

Engine = type[ScriptedEngine]
INSERT = "INSERT INTO sessions (name, way, model, created, changed) VALUES ('', 'turns', '', 1, ?)"


def chat(pilot: Pilot[Any]) -> TurnsWay:
    screen = pilot.app.get_screen_stack("write")[0]
    assert isinstance(screen, WriteDesk)
    return screen.turns


def written(pilot: Pilot[Any]) -> str:
    return chat(pilot).transcript.plain_text()


@asynccontextmanager
async def opened(size: tuple[int, int] = (120, 40)) -> AsyncIterator[Pilot[Any]]:
    async with MinigptApp().run_test(size=size) as pilot:
        await wait_until(pilot, lambda: chat(pilot).bridge.generator.ready)
        yield pilot


async def say(pilot: Pilot[Any], text: str) -> None:
    chat(pilot).prompt.restore(text)
    await pilot.press("enter")
    await wait_until(pilot, lambda: f"[b]{text}[/b] and so on" in written(pilot))
    await wait_until(pilot, lambda: not chat(pilot).bridge.generator.generating)


@pytest.fixture
def run(engine: Engine) -> None:
    make_run("a-01", "stopped")


@pytest.mark.usefixtures("run")
async def test_what_was_said_and_what_was_not_sent_is_there_at_the_next_start():
    async with opened() as pilot:
        await say(pilot, "once [red]")
        await pilot.press(*"twice")
        before = screen_text(pilot.app).split("once", 1)[1][:200]
    async with opened() as pilot:
        await pilot.pause()
        assert written(pilot).count("once [red]") == 2
        assert before == screen_text(pilot.app).split("once", 1)[1][:200], "also the line below the reply"
        assert chat(pilot).prompt.text == "twice"


@pytest.mark.usefixtures("run")
async def test_several_samples_and_explained_tokens_are_kept_with_their_seeds():
    async with opened() as pilot:
        chat(pilot).sampling.samples = 3
        chat(pilot).conversation.explain = True
        await say(pilot, "three")
    store = SessionStore()
    (session,) = store.sessions()
    prompt, *replies = [node for node in store.tree(session.id).nodes.values() if node.author != "note"]
    assert prompt.text == "three"
    assert [reply.parent for reply in replies] == 3 * [prompt.id]
    assert [reply.origin and reply.origin.seed for reply in replies] == [7, 8, 9]
    assert [len(store.records(reply.id)) for reply in replies] == [5, 5, 5]
    store.close()
    async with opened() as pilot:
        assert "sample 3 of 3" in screen_text(pilot.app)
        assert "seed 9" in screen_text(pilot.app)


@pytest.mark.usefixtures("run")
async def test_a_reply_is_saved_while_it_streams(engine: Engine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(engine, "holds_replies", True)
    async with opened() as pilot:
        await pilot.press(*"go", "enter")
        await wait_until(pilot, lambda: "and so on" in written(pilot))
        process = engine.processes[-1]
        (asked,) = [request for request in process.requests if isinstance(request, Generate)]
        process.say(Tokens(asked.id, " and on", 1))
        other = SessionStore()
        await wait_until(pilot, lambda: bool(found := other.last()) and "and on" in other.tree(found.id).text(
            max(other.tree(found.id).nodes)
        ))  # fmt: skip
        last = other.last()
        assert last is not None
        assert not other.claim(last.id), "the app has it"
        other.close()


@pytest.mark.usefixtures("run")
async def test_a_new_session_begins_empty_and_the_one_before_is_in_the_list():
    async with opened() as pilot:
        await say(pilot, "first")
        await pilot.press("ctrl+l")
        assert "first" not in written(pilot)
        await say(pilot, "second")
        await pilot.press("ctrl+g")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, SessionsScreen))
        await pilot.pause()
        screen = pilot.app.screen
        assert isinstance(screen, SessionsScreen)
        assert [screen.table.get_row_at(row)[0].plain for row in range(2)] == ["second", "first"]
        await pilot.press("down", "enter")
        await wait_until(pilot, lambda: "first" in written(pilot))
        assert "second" not in written(pilot)
        await say(pilot, "third")
    store = SessionStore()
    assert [session.title for session in store.sessions()] == ["first", "second"]
    store.close()


@asynccontextmanager
async def listed(*texts: str) -> AsyncIterator[tuple[Pilot[Any], SessionsScreen]]:
    store = SessionStore()
    for text in texts:
        session = store.create("turns", "/runs/[a]")
        store.add(session, store.add(session, None, "person", text), "model", f" {text} again")
    store.close()
    async with opened() as pilot:
        await pilot.press("ctrl+l", "ctrl+g")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, SessionsScreen))
        await pilot.pause()
        assert isinstance(pilot.app.screen, SessionsScreen)
        yield pilot, pilot.app.screen


def titles(screen: SessionsScreen) -> list[str]:
    return [screen.table.get_row_at(row)[0].plain for row in range(screen.table.row_count)]


@pytest.mark.usefixtures("run")
async def test_sessions_are_searched_named_tagged_copied_deleted_and_restored():
    async with listed("the mill", "[red]the\x1b]0;x\x07 sea") as (pilot, screen):
        assert "the mill" in titles(screen)
        assert "\x1b" not in screen_text(pilot.app)
        await pilot.press("slash", *"MILL", "enter")
        assert titles(screen) == ["the mill again", "the mill"], "each place where it stands"
        await pilot.press("r", *"A play", "enter", "escape")
        assert "A play" in titles(screen)
        await pilot.press("t", *"keep", "enter")
        assert "#keep" in screen_text(pilot.app)
        await pilot.press("c")
        assert "A play (copy)" in titles(screen)
        await pilot.press("d")
        assert "A play" not in titles(screen)
        await pilot.press("x")
        assert titles(screen) == ["A play"]
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, SessionsScreen)
        assert "is in the trash" in notices(pilot)[-1]
        await pilot.press("d", "escape")
        assert "A play" in titles(screen)
        await pilot.press("slash", *"nowhere", "enter")
        assert "Nothing was found for 'nowhere'" in screen_text(pilot.app)
        await pilot.press("escape", "escape")
        assert pilot.app.screen is chat(pilot).screen


@pytest.mark.long
@pytest.mark.usefixtures("run")
async def test_the_list_gives_the_place_that_was_found(engine: Engine):
    chosen: list[ChosenSession | None] = []
    store = SessionStore()
    session = store.create("document")
    store.add(session, store.add(session, None, "person", "the mill"), "model", " and the sea")
    store.release(session)
    async with MinigptApp().run_test(size=(120, 40)) as pilot:
        for keys in (("slash", *"the SEA", "enter", "enter"), ("o",), ("escape",)):
            await pilot.app.push_screen(SessionsScreen(store, None), chosen.append)
            await pilot.pause()
            await pilot.press(*keys)
            await pilot.pause()
    place, other, none = chosen
    assert place is not None
    assert place.found is not None
    assert (place.number, place.found.node, place.found.start, place.other_model) == (session, 2, 5, False)
    assert other == ChosenSession(session, None, other_model=True)
    assert none is None
    store.close()


@pytest.mark.long
@pytest.mark.usefixtures("run")
async def test_of_many_sessions_the_rows_come_as_the_cursor_does(engine: Engine):
    store = SessionStore()
    with store.transaction():
        for number in range(450):
            store.set_draft(store.execute(INSERT, number), f"words {number}")
    async with MinigptApp().run_test(size=(80, 24)) as pilot:
        screen = SessionsScreen(store, None)
        await pilot.app.push_screen(screen)
        await pilot.pause()
        assert 100 < screen.table.row_count < 450
        for _ in range(3):
            await pilot.press("ctrl+end")
            await pilot.pause()
        assert screen.table.row_count == 450
        await pilot.press("r", *"the oldest", "enter")
        assert store.session(1).name == "the oldest"
    store.close()


@pytest.mark.long
@pytest.mark.usefixtures("run")
async def test_an_export_never_replaces_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    async with listed("the mill") as (pilot, _):
        for keys, name in (
            (("e", "enter"), "session-1.json"),
            (("e", "j"), "session-1-2.json"),
            (("e", "m"), "session-1.md"),
            (("e", "t"), "session-1.txt"),
        ):
            await pilot.press(keys[0])
            await wait_until(pilot, lambda: isinstance(pilot.app.screen, Question))
            await pilot.press(keys[1])
            await wait_until(pilot, lambda name=name: (tmp_path / name).exists())
        await pilot.press("e")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, Question))
        await pilot.press("escape")
    assert json.loads((tmp_path / "session-1.json").read_text())["nodes"][0]["text"] == "the mill"
    assert (tmp_path / "session-1.txt").read_text() == "the mill the mill again\n"
    assert len(list(tmp_path.glob("session-*"))) == 4


@pytest.mark.usefixtures("run")
async def test_an_exported_session_is_imported_and_what_is_none_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    store = SessionStore()
    session = store.create("document")
    store.add(session, None, "person", "from elsewhere")
    (tmp_path / "other one.json").write_text(export(store, session, "json"))
    store.erase(session)
    store.close()
    (tmp_path / "none.json").write_text("{}")
    async with listed("the mill") as (pilot, screen):
        await pilot.press("i", *"none.json", "enter")
        assert "none.json is no exported session" in notices(pilot)[-1]
        await pilot.press("i", *"missing.json", "enter")
        assert "missing.json" in notices(pilot)[-1]
        assert titles(screen) == ["the mill"]
        await pilot.press("i", *"other one.json", "enter")
        assert titles(screen) == ["from elsewhere", "the mill"]
        assert screen.table.get_row_at(0)[3].plain == "document"


@pytest.mark.usefixtures("run")
async def test_one_that_another_window_has_is_not_opened():
    other = SessionStore()
    session = other.create("turns")
    other.add(session, None, "person", "mine")
    async with opened() as pilot:
        assert "mine" not in written(pilot)
        await pilot.press("ctrl+g")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, SessionsScreen))
        await pilot.pause()
        await pilot.press("d")
        assert "open in another window" in notices(pilot)[-1]
        await pilot.press("enter")
        await wait_until(pilot, lambda: pilot.app.screen is chat(pilot).screen)
        assert "open in another window" in notices(pilot)[-1]
        await say(pilot, "theirs")
    assert {listed.title for listed in other.sessions()} == {"mine", "theirs"}
    other.close()


@pytest.mark.usefixtures("run")
async def test_where_nothing_can_be_saved_it_is_said_once_and_the_chat_goes_on(home: Path):
    (home / "data").mkdir(parents=True, exist_ok=True)
    (home / "data" / "sessions.sqlite").write_bytes(b"no database" * 999)
    async with opened() as pilot:
        await say(pilot, "one")
        await say(pilot, "two")
        said = [notice for notice in notices(pilot) if "cannot be saved" in notice]
        assert len(said) == 1
        assert "sessions.sqlite" in said[0]
        await pilot.press("ctrl+g")
        await wait_until(pilot, lambda: "cannot be used" in notices(pilot)[-1])
        assert pilot.app.screen.query(Input)
    assert (home / "data" / "sessions.sqlite").read_bytes() == b"no database" * 999
