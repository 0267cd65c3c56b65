"""What the transcript shows of a session that was opened again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from minigpt_tui.engine.requests import SamplingSettings
from minigpt_tui.engine.sessions.session_text import SessionText
from minigpt_tui.engine.sessions.store import SessionStore
from minigpt_tui.engine.sessions.tree import Origin
from minigpt_tui.tui.session_turns import turns_of_tree

ORIGIN = Origin("/runs/a", "a", 0, 0, SamplingSettings())


@pytest.fixture
def session(home: Path) -> Iterator[SessionText]:
    store = SessionStore()
    yield SessionText.create(store, "turns")
    store.close()


def asked(session: SessionText, prompt: str) -> int:
    return session.add(None, "person", prompt)


def replied(session: SessionText, prompt: int, *words: str) -> list[int]:
    """Replies that are asked for together."""
    nodes = session.begin_after(prompt, ORIGIN, len(words))
    for node, text in zip(nodes, words, strict=True):
        session.append(node, text)
        session.finish(node, "length", tokens=1)
    return nodes


def shown(session: SessionText, alone: set[int] | None = None) -> list[str]:
    """The turns of the session as they are read from its file."""
    store = SessionStore()
    tree = store.tree(session.session)
    turns = turns_of_tree(tree, alone or set(), session.leaf)
    store.close()
    return [" ".join(filter(None, (turn.heading, turn.text))) for turn in turns]


def test_replies_asked_for_together_stand_below_each_other_and_retried_ones_take_turns(session: SessionText):
    first = asked(session, "one")
    replied(session, first, "a", "b")
    assert shown(session) == ["one", "sample 1 of 2 a", "sample 2 of 2 b"]
    replied(session, first, "c")
    assert shown(session) == ["one", "sample 3 of 3 c"]
    again = replied(session, first, "d", "e")
    assert shown(session) == ["one", "sample 4 of 5 d", "sample 5 of 5 e"]
    assert shown(session, alone={first}) == ["one", "sample 4 of 5 d"]
    replied(session, asked(session, "two"), "f")
    assert shown(session) == ["one", "sample 4 of 5 d", "sample 5 of 5 e", "two", "f"], "the last of earlier prompts"
    session.choose(again[0] - 1)
    assert shown(session)[:2] == ["one", "sample 3 of 5 c"]
