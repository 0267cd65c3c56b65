"""Sessions that the first version of the tables holds, and a session that it exported, open with all that is in them.

`sessions_of_version_1.zip` was written by commit fb52044: `sessions.sqlite` by a process that was killed in a reply,
and `exported.json`, its second session.
"""

from __future__ import annotations

import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from minigpt_tui.engine.sessions.documents import import_json
from minigpt_tui.engine.sessions.records import UNKNOWN
from minigpt_tui.engine.sessions.session_text import SessionText
from minigpt_tui.engine.sessions.store import SessionStore

ARCHIVE = Path(__file__).with_name("sessions_of_version_1.zip")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SessionStore]:
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(tmp_path)
    store = SessionStore(tmp_path / "sessions.sqlite")
    yield store
    store.close()


def test_every_session_is_there(store: SessionStore) -> None:
    assert [(one.title, one.way, one.model, one.tags, one.draft) for one in store.sessions()] == [
        ("go on:", "turns", "/runs/a", (), ""),
        ("Once upon", "document", "/runs/a", (), ""),
        ("A play", "turns", "/runs/a", ("act one", "keep"), "not sent"),
    ]
    assert [one.title for one in store.sessions(deleted=True)] == ["in the trash"]
    assert [found.session for found in store.search("soft")] == [1] * 4
    assert list(store.search("needle")) == []
    tree = store.tree(1)
    assert [node.text for _, node in tree.walk()] == [
        "a is opened", "ROMEO:\n", "But soft 0", "But soft 1", "JULIET:\n", "But soft 0", "But soft 1"
    ]  # fmt: skip
    last = list(tree.nodes.values())[-1]
    assert last.origin is not None
    assert (last.bookmarked, last.tokens, last.tokens_per_second, last.reason, last.notices) == (
        True, 10, 50.0, "length", ("context passed",)
    )  # fmt: skip
    assert (last.origin.model, last.origin.seed, last.origin.settings.temperature) == ("/runs/a", 7, 0.5)
    assert [record.token for record in store.records(last.id)] == [ord(letter) for letter in "But soft 1"]
    assert {record.length for record in store.records(last.id)} == {1}, "each token is a character"


def test_several_apps_may_open_the_file_at_once(tmp_path: Path) -> None:
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(tmp_path)
    together = threading.Barrier(6)

    def titles(_: int) -> list[str]:
        together.wait()
        store = SessionStore(tmp_path / "sessions.sqlite")
        try:
            return [session.title for session in store.sessions()]
        finally:
            store.close()

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(titles, range(6))) == 6 * [["go on:", "Once upon", "A play"]]


def test_the_reply_that_was_being_written_ends_with_its_last_piece(store: SessionStore) -> None:
    assert store.claim(4)
    (reply,) = [node for node in store.tree(4).nodes.values() if node.author == "model"]
    assert (reply.text, reply.reason, len(store.records(reply.id))) == ("1 2 3", "cancelled", 5)
    assert [found.node for found in store.search("1 2 3")] == [reply.id]


def test_a_document_is_gone_on_with(store: SessionStore) -> None:
    text = SessionText(store, 2)
    assert text.text == "Once upon a time"
    assert [record.length for record in text.records(text.path[-1])] == [UNKNOWN] * 3, "of more than a character each"
    text.replace(12, 16, "mill")
    assert text.text == "Once upon a mill"
    assert text.parts(16) == ("Once upon a mill", ())
    (deleted,) = [node for node in text.tree.nodes.values() if node.deleted]
    assert deleted.text == "\0日本語 needle"
    text.mark(deleted, deleted=False)
    text.choose(deleted)
    assert text.text == "Once upon \0日本語 needle"


def test_an_exported_session_is_imported(store: SessionStore, tmp_path: Path) -> None:
    copy = import_json(store, (tmp_path / "exported.json").read_text(), "exported.json")
    old, new = store.tree(2), store.tree(copy)
    assert [node.text for node in new.nodes.values()] == [node.text for node in old.nodes.values()]
    assert [node.deleted for node in new.nodes.values()] == [False, False, True]
    assert new.text(store.session(copy).leaf) == "Once upon a time"
