"""Exported sessions that somebody has damaged or made up: one sentence, or a session that can be used."""

from __future__ import annotations

from pathlib import Path

import pytest
from minigpt_tui.data.storage.errors import UserError
from minigpt_tui.engine.requests import SamplingSettings
from minigpt_tui.engine.sessions.database import StoreError
from minigpt_tui.engine.sessions.documents import export, import_file
from minigpt_tui.engine.sessions.records import TokenRecord
from minigpt_tui.engine.sessions.session_text import SessionText
from minigpt_tui.engine.sessions.store import SessionStore
from minigpt_tui.engine.sessions.tree import Origin

from ...damage import for_each_damage


@pytest.mark.parametrize("examples", [60, pytest.param(3000, marks=pytest.mark.long)])
def test_it_is_refused_in_a_sentence_or_used(tmp_path: Path, examples: int) -> None:
    store = SessionStore(in_memory=True)
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 10
        return now

    text = SessionText.create(store, "document", clock=clock)
    text.replace(0, 0, "Once upon a time")
    (node,) = text.begin(16, Origin("/runs/a", "a", 1, 7, SamplingSettings(), "abc"))
    text.append(node, " there", [TokenRecord(3, 0.5, 0.5, 1, 1.0, 6)])
    text.finish(node, "length", tokens=1)
    text.replace(5, 9, "on")
    good = export(store, text.session, "json").encode()
    path = tmp_path / "session.json"

    def check(content: bytes) -> None:
        path.write_bytes(content)
        before = len(store.sessions())
        session, refusal = 0, None
        try:
            session = import_file(store, path)
        except UserError as error:
            refusal = error
        if refusal:
            assert not isinstance(refusal, StoreError)
            assert str(path) in str(refusal)
            assert len(str(refusal)) < 500
            assert len(store.sessions()) == before
            return
        copy = SessionText(store, session)
        for number in copy.tree.nodes:
            copy.records(number)
        copy.replace(0, 1, "x")
        copy.undo()
        for form in ("json", "markdown", "text"):
            export(store, session, form)
        store.erase(session)

    for_each_damage(good, examples, check)
