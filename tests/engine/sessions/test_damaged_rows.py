"""Rows of the file that a failing disk has changed: the session opens, or one sentence says why not."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

import pytest
from minigpt_tui.data.storage.errors import UserError
from minigpt_tui.engine.requests import SamplingSettings
from minigpt_tui.engine.sessions.documents import export
from minigpt_tui.engine.sessions.records import TokenRecord
from minigpt_tui.engine.sessions.session_text import SessionText
from minigpt_tui.engine.sessions.store import SessionStore
from minigpt_tui.engine.sessions.tree import Origin
from minigpt_tui.tui.tree_rows import tree_rows

TEXTS = ["", "x", "[]", "[[]]", "{}", "null", "[[1,0,99999]]", "[[999,0,1]]", "[[1,-5,null]]", "[" * 3000, "\0"]
NUMBERS = [None, 0, -1, 1, 2, 3, 4, 5, 999, 2**62]
BYTES = [b"", b"\xff\0", b"\0" * 24, b"\xff" * 48]
COLUMNS = {
    "nodes": {
        "author": TEXTS, "origin": TEXTS, "records": BYTES, "reason": TEXTS, "notices": TEXTS, "parts": TEXTS,
        "parent": NUMBERS, "text": TEXTS, "created": [0.0, 1e308], "opened": NUMBERS[1:],
    },
    "sessions": {"way": TEXTS, "leaf": NUMBERS, "draft": TEXTS, "cursor": NUMBERS},
    "history": {"start": NUMBERS, "stop": NUMBERS, "changes": [*TEXTS, '[[1,"deleted",0,1]]', '[[999,"merged",0,1]]']},
    "pieces": {"records": BYTES, "text": TEXTS},
}  # fmt: skip


def use(path: Path) -> None:
    """All that a screen asks of a session."""
    store = SessionStore(path)
    try:
        text = SessionText(store, 1)
        for node in text.tree.nodes.values():
            _ = node.origin, node.notices, node.author, text.records(node)
        tree_rows(text)
        text.parts(len(text))
        text.replace(3, 5, "new")
        while text.undo():
            pass
        while text.redo():
            pass
        for form in ("json", "markdown", "text"):
            export(store, 1, form)
        list(store.search("new"))
    except UserError:
        pass
    finally:
        store.close()


@pytest.mark.parametrize("count", [40, pytest.param(600, marks=pytest.mark.long)])
def test_a_changed_value_is_no_traceback(tmp_path: Path, count: int) -> None:
    good = tmp_path / "good.sqlite"
    now = iter(range(0, 10**6, 10))
    store = SessionStore(good)
    text = SessionText.create(store, "document", clock=lambda: float(next(now)))
    text.replace(0, 0, "Once upon a time")
    text.replace(5, 9, "on")
    (node,) = text.begin(len(text), Origin("/runs/a", "a", 1, 7, SamplingSettings(), "abc"))
    text.append(node, " there", [TokenRecord(3, 0.5, 0.5, 1, 1.0, 6)])
    store.close()
    draw = random.Random(count)
    for number in range(count):
        path = tmp_path / f"{number}.sqlite"
        path.write_bytes(good.read_bytes())
        table = draw.choice([*COLUMNS, "nodes", "nodes"])
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA foreign_keys = OFF")
            column, odds = draw.choice(list(COLUMNS[table].items()))
            ids = [row[0] for row in connection.execute(f"SELECT id FROM {table}")]
            if not ids:
                continue
            try:
                connection.execute(
                    f"UPDATE {table} SET {column} = ? WHERE id = ?", (draw.choice(odds), draw.choice(ids))
                )
            except sqlite3.IntegrityError:
                continue
        connection.close()
        use(path)
