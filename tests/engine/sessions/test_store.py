"""The store of sessions: real files, other processes, and a plain model of the tree beside it."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from minigpt_tui.data.storage.errors import UserError
from minigpt_tui.data.storage.printable import visible_lines
from minigpt_tui.engine.requests import SamplingSettings
from minigpt_tui.engine.sessions.documents import export, import_json
from minigpt_tui.engine.sessions.records import TokenRecord, pack, unpack
from minigpt_tui.engine.sessions.store import SessionStore
from minigpt_tui.engine.sessions.tree import Origin

ORIGIN = Origin("/runs/a", "a", 100, 7, SamplingSettings(temperature=0.5), "abc")
RECORDS = [TokenRecord(n, 0.25, 0.5, n + 1, 1.5) for n in range(5)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[SessionStore]:
    store = SessionStore(path)
    yield store
    store.close()


def test_a_prompt_and_its_reply_are_there_at_the_next_start(store: SessionStore, path: Path) -> None:
    session = store.create("turns", "/runs/a")
    prompt = store.add(session, None, "person", "ROMEO:\n")
    reply = store.begin(session, prompt, ORIGIN)
    store.append(reply, "But ", RECORDS[:2])
    store.append(reply, "soft", RECORDS[2:])
    assert store.tree(session).text(reply) == "ROMEO:\nBut soft", "what streams is there before it ends"
    store.finish(reply, "length", tokens=5, tokens_per_second=50.0, notices=("context passed",))
    store.set_draft(session, "JULIET")
    store.close()

    again = SessionStore(path)
    (listed,) = again.sessions()
    assert (listed.title, listed.way, listed.draft, listed.leaf, listed.characters) == (
        "ROMEO:", "turns", "JULIET", reply, 15
    )  # fmt: skip
    assert again.last() == listed
    node = again.tree(session).nodes[reply]
    assert (node.text, node.origin, node.tokens, node.reason) == ("But soft", ORIGIN, 5, "length")
    assert again.records(reply) == RECORDS
    again.close()


def test_a_session_without_a_word_is_not_listed(store: SessionStore) -> None:
    session = store.create("document")
    store.add(session, None, "note", "a begins to learn")
    assert store.sessions() == []
    store.set_draft(session, "x")
    assert [listed.id for listed in store.sessions()] == [session]


WRITE = """
import sys, time
from minigpt_tui.engine.sessions.store import SessionStore
from minigpt_tui.engine.sessions.tree import Origin
from minigpt_tui.data.storage.printable import visible_lines
from minigpt_tui.engine.requests import SamplingSettings
from pathlib import Path
store = SessionStore(Path(sys.argv[1]))
session = store.create("turns")
node = store.begin(session, store.add(session, None, "person", "go on: "), Origin("m", "m", 1, 1, SamplingSettings()))
for number in range(10**6):
    store.append(node, f"{number} ")
    print(number, flush=True)
"""


def test_what_a_killed_process_has_said_that_it_saved_is_there(store: SessionStore, path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITE, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        said = 0
        for line in writer.stdout:
            if (said := int(line)) >= 50:
                break
        (session,) = store.sessions()
        assert not store.claim(session.id), "another process writes it"
        writer.send_signal(signal.SIGKILL)
        said = max([said, *map(int, writer.stdout.read().split())])
    assert store.claim(session.id)
    tree = store.tree(session.id)
    (reply,) = [node for node in tree.nodes.values() if node.author == "model"]
    assert reply.reason == "cancelled"
    numbers = [int(word) for word in reply.text.split()]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) > said
    assert [found.node for found in store.search("49 50")] == [reply.id]


def test_search_finds_any_script_within_words_and_nothing_in_the_trash(store: SessionStore) -> None:
    texts = [
        "The Quiet Mill",
        "日本語の文章です",
        "naïve café",
        'he said "no" AND left',
        "x" * 5000 + "needle" + "y" * 500,
    ]
    sessions = []
    for text in texts:
        sessions.append(store.create("document"))
        store.add(sessions[-1], None, "person", text)
    for words, number in (
        ("quiet m", 0),
        ("語の文", 1),
        ("本", 1),
        ("ïve", 2),
        ('"no" and', 3),
        ("needle", 4),
        ("*", None),
    ):
        found = list(store.search(words))
        assert [place.session for place in found] == ([] if number is None else [sessions[number]]), words
        if number is not None:
            assert words.casefold() in found[0].text.casefold()
            assert texts[number][found[0].start :].casefold().startswith(words.casefold())
    store.set_deleted(sessions[0], True)
    assert list(store.search("quiet")) == []
    assert [listed.id for listed in store.sessions(deleted=True)] == [sessions[0]]
    store.set_deleted(sessions[0], False)
    assert len(list(store.search("quiet"))) == 1
    store.erase(sessions[0])
    assert list(store.search("quiet")) == []


def test_names_tags_and_copies(store: SessionStore) -> None:
    session = store.create("document", "m")
    root = store.add(session, None, "person", "a")
    store.set_name(session, " My play ")
    store.set_tags(session, ["#keep", "keep", "act one", ""])
    assert (store.session(session).title, store.session(session).tags) == ("My play", ("act one", "keep"))
    copy = store.duplicate(session)
    store.add(copy, store.tree(copy).roots[0].id, "person", "b")
    assert [node.text for node in store.tree(session).nodes.values()] == ["a"]
    assert [node.text for node in store.tree(copy).nodes.values()] == ["a", "b"]
    assert (store.session(copy).title, store.session(copy).tags) == ("My play (copy)", ("act one", "keep"))
    store.mark(root, bookmarked=True, deleted=True)
    assert store.tree(session).roots == []
    assert store.tree(session).nodes[root].bookmarked
    with pytest.raises(UserError, match="there is no session 99"):
        store.session(99)


STRANGE = (
    "\0",
    "\x1b]0;x\x07",
    "`" * 4,
    "[red]",
    "\u202e",
    "\U0001f469\u200d\U0001f680",
    "\ud800",
    "é",
    "\r\n",
    "'--",
    "%s",
)


def test_any_text_comes_back_and_a_document_is_the_same_session(store: SessionStore) -> None:
    session = store.create("document")
    parent = None
    for text in STRANGE:
        parent = store.add(session, parent, "person", text)
    reply = store.begin(session, parent, ORIGIN)
    store.append(reply, "done", RECORDS)
    store.finish(reply, "stop")
    expected = "".join(STRANGE).replace("\ud800", "?")
    assert store.tree(session).text(parent) == expected
    document = export(store, session, "json")
    copy = import_json(store, document, "here")
    assert store.tree(copy).text(store.session(copy).leaf) == expected + "done"
    assert (
        json.loads(export(store, copy, "json"))["records"].popitem()[1] == json.loads(document)["records"].popitem()[1]
    )
    shown = visible_lines(expected.replace("\r\n", "\n"))
    assert export(store, session, "text") == f"{shown}done\n"
    assert f"`````text\n{shown}\n`````" in export(store, session, "markdown")


def test_scores_belong_to_a_checkpoint_and_to_the_node(path: Path, store: SessionStore) -> None:
    session = store.create("turns")
    node = store.add(session, None, "person", "abc")
    other = store.add(store.create("turns"), None, "person", "abc")
    records = [TokenRecord(7, 0.5, 0.5, 1, 1.5, 2)]
    store.set_score(node, "c0ffee", False, [])
    store.set_score(node, "facade", False, records)
    store.set_score(other, "facade", False, records)
    again = SessionStore(path)
    assert again.scores(session, "facade", False) == {node: records}
    assert again.scores(session, "c0ffee", False) == again.scores(session, "facade", True) == {}
    again.close()
    store.execute("UPDATE scores SET records = x'00' WHERE node = ?", node)
    assert store.scores(session, "facade", False) == {}, "damaged"
    store.set_score(node, "facade", False, records)
    assert store.scores(session, "facade", False) == {node: records}
    store.erase(session)
    assert store.scores(session, "facade", False) == {}


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '{"name": 1}', '{"nodes": [], "version": 1}', "\x00", '{"a":' * 5000],
    ids=range(7),
)  # fmt: skip
def test_what_is_no_exported_session_is_one_sentence(store: SessionStore, text: str) -> None:
    with pytest.raises(UserError, match=r"x\.json is no exported session"):
        import_json(store, text, "x.json")
    assert store.sessions() == []


def test_a_damaged_or_newer_file_is_one_sentence(path: Path) -> None:
    path.write_bytes(b"not a database" * 500)
    with pytest.raises(UserError, match=r"cannot be read .*move it away"):
        SessionStore(path)
    path.unlink()
    SessionStore(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(UserError, match="it is of version 99"):
        SessionStore(path)


@pytest.mark.skipif(os.name == "nt", reason="no such modes there")
def test_the_file_is_its_owners_alone(store: SessionStore, path: Path) -> None:
    assert path.stat().st_mode & 0o077 == 0


def test_records_are_packed_so_that_pieces_join() -> None:
    assert unpack(pack(RECORDS)) == RECORDS
    assert unpack(pack(RECORDS[:2]) + pack([]) + pack(RECORDS[2:])) == RECORDS
    assert len(pack(RECORDS)) == 24 * len(RECORDS)
    with pytest.raises(ValueError, match="no records"):
        unpack(b"123")


@pytest.mark.parametrize("seed", range(8))
def test_any_sequence_of_changes_gives_the_text_of_a_plain_tree(path: Path, seed: int) -> None:
    """Add, branch, stream, bookmark, delete and restore at random, reopening in between, beside dictionaries."""
    draw, store = random.Random(seed), SessionStore(path)
    session = store.create("document")
    parents: dict[int, int | None] = {}
    texts: dict[int, str] = {}
    deleted: set[int] = set()
    for number in range(60):
        parent = draw.choice([None, *parents])
        match draw.choice(["add", "stream", "delete", "restore", "reopen"]):
            case "add":
                node = store.add(session, parent, "person", f"p{number} ")
                parents[node], texts[node] = parent, f"p{number} "
            case "stream":
                node = store.begin(session, parent, ORIGIN)
                pieces = [f"m{number}.{piece} " for piece in range(draw.randrange(4))]
                for piece in pieces:
                    store.append(node, piece)
                if draw.random() < 0.7:
                    store.finish(node, "length")
                parents[node], texts[node] = parent, "".join(pieces)
            case "delete" if parents:
                node = draw.choice(list(parents))
                store.mark(node, deleted=True)
                deleted.add(node)
            case "restore" if deleted:
                node = draw.choice(sorted(deleted))
                store.mark(node, deleted=False)
                deleted.remove(node)
            case "reopen":
                store.close()
                store = SessionStore(path)
                assert store.claim(session)
            case _:
                continue
        tree = store.tree(session)
        assert {node.id: node.parent for node in tree.nodes.values()} == parents
        assert {node.id for node in tree.nodes.values() if node.deleted} == deleted
        for node in parents:
            path_to, at = "", node
            while at is not None:
                path_to, at = texts[at] + path_to, parents[at]
            assert tree.text(node) == path_to
    copy = import_json(store, export(store, session, "json"), "copy")
    assert [n.text for _, n in store.tree(copy).walk()] == [n.text for _, n in store.tree(session).walk()]
    store.close()
