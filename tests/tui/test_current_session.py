"""The session on screen in each way to write: what is saved when, and what happens where nothing can be saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from minigpt_tui.engine.requests import Ended, SamplingSettings, TokenDetail
from minigpt_tui.engine.sessions.session_text import SAVE_INTERVAL, SessionText
from minigpt_tui.engine.sessions.store import SessionStore
from minigpt_tui.engine.sessions.tree import Origin
from minigpt_tui.tui.current_session import CurrentSession

ORIGIN = Origin("/runs/a", "a", 0, 0, SamplingSettings())


class Desk:
    """What a screen does for a session: it shows sentences and calls functions later."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.due: list[tuple[float, Callable[[], None]]] = []
        self.session = CurrentSession(self.said.append, lambda delay, call: self.due.append((delay, call)))

    def pass_time(self) -> None:
        """Call what is due."""
        due, self.due = self.due, []
        for delay, call in due:
            assert delay <= SAVE_INTERVAL
            call()

    def reply(self, *texts: str) -> None:
        """Each sample of what was asked streams and ends."""
        for sample, text in enumerate(texts):
            self.session.add(sample, text, details(text))
            self.session.end(sample, Ended(1, "length", len(text), 3, 0.01, 500.0, 200, 7 + sample, (), sample))


def details(text: str) -> list[TokenDetail]:
    return [TokenDetail(ord(letter), letter, 0.5, 0.25, 1, 1.0, (), 1) for letter in text]


@pytest.fixture
def desk(home: Path) -> Desk:
    return Desk()


def saved() -> str:
    store = SessionStore()
    last = store.last()
    text = store.tree(last.id).text(last.leaf) if last else ""
    store.close()
    return text


def test_a_document_is_saved_as_it_is_typed_and_as_it_streams(desk: Desk) -> None:
    session = desk.session
    session.leave("document")
    for number, letter in enumerate("Once "):
        session.change(lambda text, n=number, x=letter: text.replace(n, n, x))
    assert saved() == "Once "
    (node,) = session.go_on(5, 1, ORIGIN)
    session.add(0, "up", details("up"))
    session.add(0, "on", details("on"))
    desk.pass_time()
    assert saved() == "Once upon"
    session.end(0, Ended(1, "length", 4, 3, 0.01, 500.0, 200, 7))
    assert [record.length for record in session.text.records(node)] == [1, 1, 1, 1]
    origin = session.text.tree.nodes[node].origin
    assert origin is not None
    assert (origin.step, origin.seed) == (200, 7)
    session.change(SessionText.undo)
    assert saved() == "Once "
    session.close()

    again = Desk()
    assert again.session.open_last() is not None
    assert (again.session.way, again.session.text.text) == ("document", "Once ")
    assert again.session.change(SessionText.redo)
    assert saved() == "Once upon"
    again.session.close()


def test_each_turn_is_a_text_of_its_own_and_a_reply_is_tried_again(desk: Desk) -> None:
    session = desk.session
    session.note("a is opened")
    session.ask("one ", 2, ORIGIN)
    desk.reply("1", "2")
    _, second = session.ask("two ", 2, ORIGIN)
    desk.reply("3", "4")
    (again,) = session.retry(second, 1, ORIGIN)
    desk.reply("5")
    tree = session.text.tree
    assert [(node.author, node.text) for node in tree.roots] == [
        ("note", "a is opened"), ("person", "one "), ("person", "two ")
    ]  # fmt: skip
    assert [node.text for node in session.text.siblings(again)] == ["3", "4", "5"]
    assert saved() == "two 5"
    session.close()
    store = SessionStore()
    assert [(one.title, one.way, one.characters) for one in store.sessions()] == [("one", "turns", 13)]
    store.close()


def test_a_chat_goes_on_where_it_is_and_an_earlier_turn_is_written_anew(desk: Desk) -> None:
    session = desk.session
    session.leave("chat")
    session.ask("Hello!", 1, ORIGIN)
    desk.reply("Hi.")
    session.ask("Who?", 1, ORIGIN, after=session.text.leaf)
    desk.reply("Me.")
    assert [node.text for node in session.text.path] == ["Hello!", "Hi.", "Who?", "Me."]
    earlier = session.text.path[2]
    session.ask("What?", 1, ORIGIN, after=earlier.parent)
    desk.reply("That.")
    assert [node.text for node in session.text.path] == ["Hello!", "Hi.", "What?", "That."]
    assert [node.text for node in session.text.siblings(session.text.path[2])] == ["Who?", "What?"]
    session.change(lambda text: text.choose(earlier))
    assert session.text.text == "Hello!Hi.Who?Me."
    session.close()


def test_a_session_in_which_nothing_was_written_leaves_no_trace(desk: Desk) -> None:
    session = desk.session
    session.leave("document")
    assert session.text.text == ""
    session.leave()
    session.set_draft("not sent")
    session.close()
    store = SessionStore()
    assert [(one.draft, one.way) for one in store.sessions()] == [("not sent", "document")]
    assert store.session(1).draft == "not sent", "the number of the empty one is free again"
    store.close()


def test_where_the_file_fails_it_is_said_once_and_all_goes_on_in_memory(desk: Desk) -> None:
    session = desk.session
    session.leave("document")
    session.change(lambda text: text.replace(0, 0, "Once upon a time, long before"))
    session.go_on(29, 1, ORIGIN)
    desk.reply(" this")
    recorded = session.text.path[-1].id
    session.save()
    assert session.store is not None
    ((pages,),) = session.store.rows("PRAGMA page_count")
    list(session.store.rows(f"PRAGMA max_page_count = {pages}"))  # the disk is full
    (node,) = session.go_on(34, 1, ORIGIN)
    long = "a word of many " * 2000
    session.add(0, long, details(long))
    desk.reply(" and on")
    assert session.text.text == f"Once upon a time, long before this{long} and on"
    assert session.text.path[-1].id == node, "who holds a node may go on with it"
    session.change(lambda text: text.replace(0, 4, "Never"))
    session.change(SessionText.undo)
    assert session.text.text.startswith("Once upon")
    assert [record.length for record in session.text.records(recorded)] == [1] * len(" this")
    session.change(SessionText.undo)
    assert session.text.text == "Once upon a time, long before this"
    session.change(SessionText.undo)
    assert session.text.text == "Once upon a time, long before", "what was done before the disk was full is undone, too"
    session.change(SessionText.redo)
    assert session.text.text == "Once upon a time, long before this"
    session.leave("turns")
    session.ask("more", 1, ORIGIN)
    desk.reply("!")
    assert session.text.text == "more!"
    assert session.store is None
    (sentence,) = desk.said
    assert "cannot be saved" in sentence
    assert "free some space" in sentence
    session.close()
    assert saved().startswith("Once upon a time")


def test_where_the_file_is_no_database_all_goes_on_in_memory(desk: Desk, home: Path) -> None:
    (home / "data").mkdir(parents=True, exist_ok=True)
    (home / "data" / "sessions.sqlite").write_bytes(b"no database" * 999)
    assert desk.session.open_last() is None
    desk.session.ask("one ", 1, ORIGIN)
    desk.reply("two")
    assert desk.session.text.text == "one two"
    assert len(desk.said) == 1
    desk.session.close()
