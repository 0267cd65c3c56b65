"""The verb sessions, beside a store with some in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from minigpt_tui.engine.sessions.store import SessionStore

from .command import command


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with two sessions, 1 and 2."""
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path))
    store = SessionStore()
    for text in ("The quiet mill", "[red]Über\x1b]0;x\x07 cats"):
        session = store.create("turns", "/runs/a")
        prompt = store.add(session, None, "person", text)
        store.add(session, prompt, "model", " goes on.")
    store.set_tags(1, ["keep"])
    store.close()
    return tmp_path


def test_they_are_listed_shown_and_found(desk: Path) -> None:
    listed = json.loads(command(desk, "sessions", "list", "--json").stdout)
    assert [(session["id"], session["title"], session["tags"]) for session in listed] == [
        (2, "[red]Über\x1b]0;x\x07 cats", []), (1, "The quiet mill", ["keep"])
    ]  # fmt: skip
    table = command(desk, "sessions", "list").stdout
    assert "The quiet mill" in table
    assert "#keep" in table
    assert "\x1b" not in table
    assert command(desk, "sessions", "show", "1").stdout == "The quiet mill goes on.\n"
    assert command(desk, "sessions", "show", "last").stdout == "[red]Über\x1b]0;x\x07 cats goes on.\n"
    assert [place["session"] for place in json.loads(command(desk, "sessions", "search", "CATS", "--json").stdout)] == [
        2
    ]
    assert command(desk, "sessions", "search", "dogs").returncode == 2


def test_one_goes_out_and_comes_back(desk: Path) -> None:
    assert command(desk, "sessions", "export", "1").stdout == "session-1.json\n"
    again = command(desk, "sessions", "export", "1")
    assert (again.returncode, "is there already" in again.stderr) == (2, True)
    assert command(desk, "sessions", "export", "1", "--to", "markdown", "--output", "a b.md").returncode == 0
    assert "The quiet mill" in (desk / "a b.md").read_text()
    assert command(desk, "sessions", "import", "session-1.json").stdout == "3\n"
    assert command(desk, "sessions", "show", "3").stdout == command(desk, "sessions", "show", "1").stdout
    (desk / "no.json").write_bytes(b"\xff\xfe")
    for name in ("no.json", "missing.json"):
        refused = command(desk, "sessions", "import", name)
        assert (refused.returncode, refused.stdout, name in refused.stderr) == (2, "", True)


def test_one_is_named_tagged_and_duplicated(desk: Path) -> None:
    assert command(desk, "sessions", "rename", "1", "My [b]play").returncode == 0
    tagged = json.loads(command(desk, "sessions", "tag", "1", "#one", "two", "--json").stdout)
    assert (tagged["title"], tagged["tags"]) == ("My [b]play", ["one", "two"])
    assert command(desk, "sessions", "duplicate", "1").stdout == "3\n"
    assert command(desk, "sessions", "show", "3").stdout == command(desk, "sessions", "show", "1").stdout
    assert json.loads(command(desk, "sessions", "tag", "last", "--json").stdout)["tags"] == []
    named = json.loads(command(desk, "sessions", "rename", "1", "", "--json").stdout)
    assert named["title"] == "The quiet mill"
    for words in (("rename", "9", "x"), ("tag", "9"), ("duplicate", "9")):
        refused = command(desk, "sessions", *words)
        assert (refused.returncode, "there is no session 9" in refused.stderr) == (2, True)


def test_deleting_is_moving_to_the_trash(desk: Path) -> None:
    early = command(desk, "sessions", "delete", "1", "--forever")
    assert (early.returncode, "is not in the trash" in early.stderr) == (2, True)
    assert command(desk, "sessions", "delete", "1", "2").returncode == 0
    assert command(desk, "sessions", "list").stdout == ""
    assert command(desk, "sessions", "restore", "2").returncode == 0
    assert command(desk, "sessions", "delete", "1", "--forever").returncode == 0
    assert [s["id"] for s in json.loads(command(desk, "sessions", "list", "--json").stdout)] == [2]
    assert json.loads(command(desk, "sessions", "list", "--deleted", "--json").stdout) == []
    for words in (("show", "1"), ("show", "first"), ("delete", "7"), ("restore", "x")):
        refused = command(desk, "sessions", *words)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert "minigpt-tui sessions list" in refused.stderr


def test_one_that_is_open_elsewhere_is_not_deleted(desk: Path) -> None:
    store = SessionStore(desk / "data" / "sessions.sqlite")
    assert store.claim(1)
    refused = command(desk, "sessions", "delete", "1")
    assert (refused.returncode, "open in another window" in refused.stderr) == (2, True)
    store.close()
