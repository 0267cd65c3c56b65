"""The one door to sessions.sqlite: every text is saved as it is written.

SQLite in write-ahead mode: several apps and commands read and write at once, and what was committed survives the end of
a process, whatever ended it. A session is written by one app at a time, which holds its lock file.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ...data.storage.errors import UserError
from .. import locks
from ..paths import data_dir
from .database import StoreError
from .node_store import NodeStore
from .tree import Part, Way

_SHOWN = 120  # characters of a session's first words, and around what was found
_SHORTEST = 3  # characters that the index of trigrams can look for


@dataclass(frozen=True)
class Session:
    """A session in the list."""

    id: int
    name: str
    way: Way
    model: str
    created: float
    changed: float
    leaf: int | None
    draft: str
    deleted: bool
    tags: tuple[str, ...]
    first_words: str
    characters: int
    cursor: int | None = None

    @property
    def title(self) -> str:
        """Its name, else how it begins."""
        return self.name or self.first_words or "empty"


@dataclass(frozen=True)
class Found:
    """A place where a search found something."""

    session: int
    node: int  # as which it was written
    start: int  # in its words
    text: str  # what stands there, and a little around it
    offset: int = 0  # of what was found in `text`


class SessionStore(NodeStore):
    """The file with all sessions; used in the thread that made it. Every method raises UserError where it cannot."""

    def __init__(self, path: Path | None = None, *, in_memory: bool = False) -> None:
        """Open the file, and make it where there is none. Raises UserError where it is damaged or cannot be written.

        One in memory is forgotten with the process.
        """
        self.path = path or data_dir() / "sessions.sqlite"
        self.in_memory = in_memory
        self._locks: dict[int, IO[bytes]] = {}
        super().__init__(None if in_memory else self.path)

    def close(self) -> None:
        """Let go of the file and of all sessions."""
        for number in list(self._locks):
            self.release(number)
        super().close()

    # --- who writes -----------------------------------------------------------------------------------

    def claim(self, session: int) -> bool:
        """Whether this process may write the session from now on: nobody else has claimed it. Ends unfinished nodes.

        What a process that was killed had begun to write is kept up to its last piece, and ends as `cancelled`.
        """
        if session in self._locks or self.in_memory:
            return True
        folder = self.path.parent / "sessions.locks"
        with self._expected():
            folder.mkdir(exist_ok=True)
            try:
                lock = locks.acquire(folder / str(session))
            except UserError as error:  # a file system without locks
                raise StoreError(str(error)) from error
        if lock is None:
            return False
        self._locks[session] = lock
        with self.transaction():
            unfinished = list(self.rows("SELECT id, author FROM nodes WHERE reason = '' AND session = ?", session))
            for (leaf,) in list(self.rows("SELECT leaf FROM sessions WHERE id = ?", session)) if unfinished else ():
                for row in unfinished:
                    self.finish(row["id"], "cancelled" if row["author"] == "model" else "written")
                self.execute("UPDATE sessions SET leaf = ? WHERE id = ?", leaf, session)
        return True

    def release(self, session: int) -> None:
        """Let another process write the session."""
        if lock := self._locks.pop(session, None):
            lock.close()

    # --- sessions -------------------------------------------------------------------------------------

    def create(self, way: Way, model: str = "") -> int:
        """A new, empty session, claimed by this process; its id."""
        now = time.time()
        number = self.execute(
            "INSERT INTO sessions (name, way, model, created, changed) VALUES ('', ?, ?, ?, ?)", way, model, now, now
        )
        self.claim(number)
        return number

    def sessions(self, *, deleted: bool = False) -> list[Session]:
        """All sessions with something in them, the newest first; with `deleted` those in the trash."""
        condition = "NOT NULL" if deleted else "NULL"
        return [
            self._session(row) for row in self.rows(f"{_LIST} WHERE s.deleted IS {condition} {_NOT_EMPTY} {_ORDER}")
        ]

    def session(self, number: int) -> Session:
        """One session. Raises UserError where there is none with this number."""
        for row in self.rows(f"{_LIST} WHERE s.id = ?", number):
            return self._session(row)
        raise UserError(f"there is no session {number}; minigpt-tui sessions list shows all")

    def last(self) -> Session | None:
        """The session that was changed last, where there is one outside the trash."""
        for row in self.rows(f"{_LIST} WHERE s.deleted IS NULL {_NOT_EMPTY} {_ORDER} LIMIT 1"):
            return self._session(row)
        return None

    def set_name(self, session: int, name: str) -> None:
        """Call the session `name`; without one it is called by its first words."""
        self._change(session, "name = ?", name.strip())

    def set_model(self, session: int, model: str) -> None:
        """Say what the session is continued with."""
        self._change(session, "model = ?", model)

    def set_way(self, session: int, way: Way) -> None:
        """Say how the session is written."""
        self._change(session, "way = ?", way)

    def is_empty(self, session: int) -> bool:
        """Whether nothing was ever written in the session."""
        written = "EXISTS (SELECT 1 FROM nodes WHERE session = s.id)"
        return bool(list(self.rows(f"SELECT 1 FROM sessions s WHERE id = ? AND draft = '' AND NOT {written}", session)))

    def set_leaf(self, session: int, leaf: int | None) -> None:
        """Say at the end of which node the person is."""
        self._change(session, "leaf = ?", leaf)

    def set_draft(self, session: int, draft: str) -> None:
        """Keep what was typed and not sent."""
        self.execute("UPDATE sessions SET draft = ? WHERE id = ?", draft, session)

    def set_cursor(self, session: int, cursor: int) -> None:
        """Say where in the text the person is."""
        self.execute("UPDATE sessions SET cursor = ? WHERE id = ?", cursor, session)

    def set_deleted(self, session: int, deleted: bool) -> None:
        """Move the session to the trash, or back."""
        self.execute("UPDATE sessions SET deleted = ? WHERE id = ?", time.time() if deleted else None, session)

    def erase(self, session: int) -> None:
        """Remove the session for good."""
        self.release(session)
        self.execute("DELETE FROM sessions WHERE id = ?", session)

    def set_tags(self, session: int, tags: Iterable[str]) -> None:
        """Give the session these tags instead of those that it has."""
        with self.transaction():
            self.execute("DELETE FROM tags WHERE session = ?", session)
            for tag in {tag.strip().lstrip("#") for tag in tags} - {""}:
                self.execute("INSERT INTO tags (session, tag) VALUES (?, ?)", session, tag)

    def duplicate(self, session: int) -> int:
        """A copy of the session with all its nodes; its id."""
        old = self.session(session)
        with self.transaction():
            copy = self.create(old.way, old.model)
            self.execute("UPDATE sessions SET name = ? WHERE id = ?", f"{old.title} (copy)", copy)
            self.set_tags(copy, old.tags)
            tree = self.tree(session)
            self.insert(copy, tree, {node: self.records(node) for node in tree.nodes}, old.leaf)
        return copy

    # --- search ---------------------------------------------------------------------------------------

    def search(self, words: str, limit: int = 200) -> Iterator[Found]:
        """Where `words` stand in the nodes of all sessions outside the trash, whatever their case; the newest first."""
        words = words.strip()
        if not words:
            return
        if len(words) >= _SHORTEST:
            query = "SELECT n.id, n.session, n.text FROM search f JOIN nodes n ON n.id = f.rowid WHERE f.text MATCH ?"
            order = "f.rowid"  # which the index can walk downwards, so that the search ends with the last that is read
            wanted = '"' + words.replace('"', '""') + '"'
        else:
            query = "SELECT n.id, n.session, n.text FROM nodes n WHERE instr(lower(n.text), lower(?))"
            order, wanted = "n.id", words
        outside = "AND +n.session IN (SELECT id FROM sessions WHERE deleted IS NULL)"  # +: not by that index
        visible: dict[int, dict[int, list[Part]] | None] = {}
        for row in self.rows(f"{query} {outside} ORDER BY {order} DESC", wanted):
            session, text = row["session"], row["text"]
            if session not in visible:
                visible[session] = self._visible(session)
            start = _first_place(words, text, visible[session], row["id"])
            if start is None:
                continue
            begin = max(0, start - _SHOWN // 3)
            yield Found(session, row["id"], start, text[begin : start + _SHOWN], start - begin)
            if (limit := limit - 1) <= 0:
                return

    def _visible(self, session: int) -> dict[int, list[Part]] | None:
        """The parts of a session that are not deleted, also in copies, by their sources; None for all of them."""
        if not list(self.rows("SELECT 1 FROM nodes WHERE session = ? AND deleted LIMIT 1", session)):
            return None
        parts: dict[int, list[Part]] = {}
        for _, node in self.tree(session).walk():
            for part in node.parts:
                parts.setdefault(part.source.id, []).append(part)
        return parts

    def _change(self, session: int, assignment: str, value: object) -> None:
        self.execute(f"UPDATE sessions SET {assignment}, changed = ? WHERE id = ?", value, time.time(), session)

    def _session(self, row: sqlite3.Row) -> Session:
        fields: dict[str, Any] = dict(row)
        fields["tags"] = tuple(sorted(filter(None, (row["tags"] or "").split("\n"))))
        fields["deleted"] = row["deleted"] is not None
        return Session(**fields)


def _first_place(words: str, text: str, visible: dict[int, list[Part]] | None, source: int) -> int | None:
    """Where `words` stand in what is not deleted of a source."""
    for found in re.finditer(re.escape(words), text, re.IGNORECASE):
        if visible is None or any(part.start <= found.start() < part.end for part in visible.get(source, [])):
            return found.start()
    return 0 if visible is None else None


_LIST = """
SELECT s.*,
    (SELECT group_concat(tag, char(10)) FROM tags WHERE session = s.id) AS tags
FROM sessions s
"""
_NOT_EMPTY = "AND (s.draft != '' OR s.first_words != '')"
_ORDER = "ORDER BY s.changed DESC, s.id DESC"
