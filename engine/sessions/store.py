"""The one door to sessions.sqlite: every text is saved as it is written.

SQLite in write-ahead mode: several apps and commands read and write at once, and what was committed survives the end of
a process, whatever ended it. A session is written by one app at a time, which holds its lock file.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from ...data.storage.errors import UserError
from ...data.storage.typed_json import dumps, loads
from .. import locks
from ..paths import data_dir
from . import schema
from .tree import Author, Node, Origin, TokenRecord, Tree, Way, pack, unpack

_PATIENCE = 5.0  # seconds that a write waits for another process's
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

    @property
    def title(self) -> str:
        """Its name, else how it begins."""
        return self.name or self.first_words or "empty"


@dataclass(frozen=True)
class Found:
    """A place where a search found something: `text` is what stands around it, from `start` of the node on."""

    session: int
    node: int
    start: int
    text: str


class SessionStore:
    """The file with all sessions; used in the thread that made it. Every method raises UserError where it cannot."""

    def __init__(self, path: Path | None = None) -> None:
        """Open the file, and make it where there is none. Raises UserError where it is damaged or cannot be written."""
        self.path = path or data_dir() / "sessions.sqlite"
        self._locks: dict[int, IO[bytes]] = {}
        with self._expected():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.touch(mode=0o600)
            self._connection = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)
            self._connection.row_factory = sqlite3.Row
            for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
                self._connection.execute(f"PRAGMA {pragma}")
            schema.migrate(self._connection)

    def close(self) -> None:
        """Let go of the file and of all sessions."""
        for number in list(self._locks):
            self.release(number)
        self._connection.close()

    # --- who writes -----------------------------------------------------------------------------------

    def claim(self, session: int) -> bool:
        """Whether this process may write the session from now on: nobody else has claimed it. Ends unfinished nodes.

        What a process that was killed had begun to write is kept up to its last piece, and ends as `cancelled`.
        """
        if session in self._locks:
            return True
        folder = self.path.parent / "sessions.locks"
        with self._expected():
            folder.mkdir(exist_ok=True)
            lock = locks.acquire(folder / str(session))
        if lock is None:
            return False
        self._locks[session] = lock
        for row in self._rows("SELECT id FROM nodes WHERE reason = '' AND session = ?", session):
            self.finish(row["id"], "cancelled")
        return True

    def release(self, session: int) -> None:
        """Let another process write the session."""
        if lock := self._locks.pop(session, None):
            lock.close()

    # --- sessions -------------------------------------------------------------------------------------

    def create(self, way: Way, model: str = "") -> int:
        """A new, empty session, claimed by this process; its id."""
        now = time.time()
        number = self._execute(
            "INSERT INTO sessions (name, way, model, created, changed) VALUES ('', ?, ?, ?, ?)", way, model, now, now
        )
        self.claim(number)
        return number

    def sessions(self, *, deleted: bool = False) -> list[Session]:
        """All sessions with something in them, the newest first; with `deleted` those in the trash."""
        condition = "NOT NULL" if deleted else "NULL"
        return [
            self._session(row) for row in self._rows(f"{_LIST} WHERE s.deleted IS {condition} {_NOT_EMPTY} {_ORDER}")
        ]

    def session(self, number: int) -> Session:
        """One session. Raises UserError where there is none with this number."""
        for row in self._rows(f"{_LIST} WHERE s.id = ?", number):
            return self._session(row)
        raise UserError(f"there is no session {number}; minigpt-tui sessions list shows all")

    def last(self) -> Session | None:
        """The session that was changed last, where there is one outside the trash."""
        for row in self._rows(f"{_LIST} WHERE s.deleted IS NULL {_NOT_EMPTY} {_ORDER} LIMIT 1"):
            return self._session(row)
        return None

    def set_name(self, session: int, name: str) -> None:
        """Call the session `name`; without one it is called by its first words."""
        self._change(session, "name = ?", name.strip())

    def set_model(self, session: int, model: str) -> None:
        """Say what the session is continued with."""
        self._change(session, "model = ?", model)

    def set_leaf(self, session: int, leaf: int | None) -> None:
        """Say at the end of which node the person is."""
        self._change(session, "leaf = ?", leaf)

    def set_draft(self, session: int, draft: str) -> None:
        """Keep what was typed and not sent."""
        self._execute("UPDATE sessions SET draft = ? WHERE id = ?", draft, session)

    def set_deleted(self, session: int, deleted: bool) -> None:
        """Move the session to the trash, or back."""
        self._execute("UPDATE sessions SET deleted = ? WHERE id = ?", time.time() if deleted else None, session)

    def erase(self, session: int) -> None:
        """Remove the session for good."""
        self.release(session)
        self._execute("DELETE FROM sessions WHERE id = ?", session)

    def set_tags(self, session: int, tags: Iterable[str]) -> None:
        """Give the session these tags instead of those that it has."""
        with self._transaction():
            self._execute("DELETE FROM tags WHERE session = ?", session)
            for tag in {tag.strip().lstrip("#") for tag in tags} - {""}:
                self._execute("INSERT INTO tags (session, tag) VALUES (?, ?)", session, tag)

    def duplicate(self, session: int) -> int:
        """A copy of the session with all its nodes; its id."""
        old = self.session(session)
        with self._transaction():
            copy = self.create(old.way, old.model)
            self._execute("UPDATE sessions SET name = ? WHERE id = ?", f"{old.title} (copy)", copy)
            self.set_tags(copy, old.tags)
            self.insert(
                copy, self.tree(session), {node: self.records(node) for node in self.tree(session).nodes}, old.leaf
            )
        return copy

    # --- nodes ----------------------------------------------------------------------------------------

    def tree(self, session: int) -> Tree:
        """All nodes of the session, also those that are deleted and the one that is being written."""
        pieces: dict[int, list[str]] = {}
        query = "SELECT p.node, p.text FROM pieces p JOIN nodes n ON n.id = p.node WHERE n.session = ? ORDER BY p.id"
        for row in self._rows(query, session):
            pieces.setdefault(row["node"], []).append(row["text"])
        nodes = {}
        for row in self._rows(f"SELECT {_NODE} FROM nodes WHERE session = ? ORDER BY id", session):
            node = self._node(row)
            nodes[node.id] = replace(node, text=node.text + "".join(pieces.get(node.id, ())))
        return Tree(nodes)

    def records(self, node: int) -> list[TokenRecord]:
        """What is kept of the tokens of a node; empty where they were not explained."""
        packed = [row["records"] for row in self._rows("SELECT records FROM nodes WHERE id = ?", node)]
        packed += [row["records"] for row in self._rows("SELECT records FROM pieces WHERE node = ? ORDER BY id", node)]
        return [record for part in packed for record in unpack(part)]

    def add(self, session: int, parent: int | None, author: Author, text: str) -> int:
        """Add a whole node that a person or the app has written; its id."""
        with self._transaction():
            node = self._insert(session, Node(0, parent, author, text, time.time(), reason="written"), b"")
            self._change(session, "leaf = ?", node)
        return node

    def begin(self, session: int, parent: int | None, origin: Origin) -> int:
        """Add an empty node that a model begins to write; its id. Pieces follow by `append`, and `finish` ends it."""
        return self._insert(session, Node(0, parent, "model", "", time.time(), origin), b"")

    def append(self, node: int, text: str, records: Iterable[TokenRecord] = ()) -> None:
        """Save a piece of a node that is being written. One call for all of some tenths of a second costs little."""
        self._execute("INSERT INTO pieces (node, text, records) VALUES (?, ?, ?)", node, text, pack(records))
        for row in self._rows(
            "SELECT s.id FROM sessions s JOIN nodes n ON n.session = s.id WHERE n.id = ? AND s.first_words = ''", node
        ):
            self._begin_with(row["id"], text)

    def finish(
        self,
        node: int,
        reason: str,
        *,
        tokens: int = 0,
        tokens_per_second: float = 0.0,
        origin: Origin | None = None,
        notices: tuple[str, ...] = (),
    ) -> None:
        """End a node that was being written; `origin` replaces that of its beginning: seed and step are known now."""
        with self._transaction():
            rows = list(self._rows("SELECT text, records FROM pieces WHERE node = ? ORDER BY id", node))
            self._execute(
                "UPDATE nodes SET text = text || ?, records = CAST(records || ? AS BLOB), reason = ?, tokens = ?, "
                "tokens_per_second = ?, origin = coalesce(?, origin), notices = ? WHERE id = ?",
                "".join(row["text"] for row in rows), b"".join(row["records"] for row in rows), reason, tokens,
                tokens_per_second, origin and dumps(origin), json.dumps(notices), node,
            )  # fmt: skip
            self._execute("DELETE FROM pieces WHERE node = ?", node)
            self._execute(
                "UPDATE sessions SET changed = ?, leaf = n.id, characters = characters + length(n.text) "
                "FROM (SELECT id, session, text FROM nodes WHERE id = ?) n WHERE sessions.id = n.session",
                time.time(), node,
            )  # fmt: skip

    def mark(self, node: int, *, bookmarked: bool | None = None, deleted: bool | None = None) -> None:
        """Set or remove a node's bookmark; delete it with all that follows it, or bring it back."""
        if bookmarked is not None:
            self._execute("UPDATE nodes SET bookmarked = ? WHERE id = ?", bookmarked, node)
        if deleted is not None:
            self._execute("UPDATE nodes SET deleted = ? WHERE id = ?", deleted, node)

    def insert(self, session: int, tree: Tree, records: dict[int, list[TokenRecord]], leaf: int | None) -> None:
        """Add the nodes of a tree from elsewhere, under new ids; a parent stands before those that follow it."""
        ids: dict[int | None, int | None] = {None: None}
        with self._transaction():
            for node in tree.nodes.values():
                moved = replace(node, parent=ids[node.parent], reason=node.reason or "cancelled")
                ids[node.id] = self._insert(session, moved, pack(records.get(node.id, ())))
            self._change(session, "leaf = ?", ids.get(leaf))

    # --- search ---------------------------------------------------------------------------------------

    def search(self, words: str, limit: int = 200) -> Iterator[Found]:
        """Where `words` stand in the nodes of all sessions outside the trash, whatever their case; the newest first."""
        words = words.strip()
        if not words:
            return
        if len(words) >= _SHORTEST:
            query = "SELECT n.id, n.session, n.text FROM search f JOIN nodes n ON n.id = f.rowid WHERE f.text MATCH ?"
            order = "f.rowid"  # which the index can walk downwards, so the limit ends the search
            wanted = '"' + words.replace('"', '""') + '"'
        else:
            query = "SELECT n.id, n.session, n.text FROM nodes n WHERE instr(lower(n.text), lower(?))"
            order, wanted = "n.id", words
        outside = "AND NOT n.deleted AND n.session IN (SELECT id FROM sessions WHERE deleted IS NULL)"
        for row in self._rows(f"{query} {outside} ORDER BY {order} DESC LIMIT {int(limit)}", wanted):
            start = max(0, row["text"].casefold().find(words.casefold()))
            begin = max(0, start - _SHOWN // 3)
            yield Found(row["session"], row["id"], start, row["text"][begin : start + _SHOWN])

    # --- the file -------------------------------------------------------------------------------------

    @contextmanager
    def _expected(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise UserError(
                f"{self.path} cannot be used ({error}); close other programs that use it, or free some space"
            ) from error
        except (sqlite3.DatabaseError, ValueError) as error:
            raise UserError(
                f"{self.path} cannot be read ({error}); move it away, and the app begins with no sessions"
            ) from error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        if self._connection.in_transaction:  # a part of a larger one
            yield
            return
        with self._expected():
            self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        with self._expected():
            self._connection.execute("COMMIT")

    def _execute(self, statement: str, *values: object) -> int:
        storable = [_without_surrogates(value) if isinstance(value, str) else value for value in values]
        with self._expected():
            return self._connection.execute(statement, storable).lastrowid or 0

    def _rows(self, query: str, *values: object) -> Iterator[sqlite3.Row]:
        with self._expected():
            yield from self._connection.execute(query, values)

    def _change(self, session: int, assignment: str, value: object) -> None:
        self._execute(f"UPDATE sessions SET {assignment}, changed = ? WHERE id = ?", value, time.time(), session)

    def _insert(self, session: int, node: Node, packed: bytes) -> int:
        self._execute("UPDATE sessions SET characters = characters + ? WHERE id = ?", len(node.text), session)
        if node.author != "note":
            self._begin_with(session, node.text)
        return self._execute(
            "INSERT INTO nodes (session, parent, author, text, created, origin, records, tokens, tokens_per_second, "
            "reason, notices, bookmarked, deleted) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            session, node.parent, node.author, node.text, node.created, node.origin and dumps(node.origin), packed,
            node.tokens, node.tokens_per_second, node.reason, json.dumps(node.notices), node.bookmarked, node.deleted,
        )  # fmt: skip

    def _begin_with(self, session: int, text: str) -> None:
        """Call the session by these words where it has none yet."""
        words = " ".join(text[: 4 * _SHOWN].split())[:_SHOWN]
        self._execute("UPDATE sessions SET first_words = ? WHERE id = ? AND first_words = ''", words, session)

    def _node(self, row: sqlite3.Row) -> Node:
        fields: dict[str, Any] = dict(row)
        fields["origin"] = row["origin"] and loads(Origin, row["origin"], f"node {row['id']}")
        fields["notices"] = tuple(json.loads(row["notices"]))
        fields["bookmarked"], fields["deleted"] = bool(row["bookmarked"]), bool(row["deleted"])
        return Node(**fields)

    def _session(self, row: sqlite3.Row) -> Session:
        fields: dict[str, Any] = dict(row)
        fields["tags"] = tuple(sorted(filter(None, (row["tags"] or "").split("\n"))))
        fields["deleted"] = row["deleted"] is not None
        return Session(**fields)


def _without_surrogates(text: str) -> str:
    """The text with what has no UTF-8 form replaced: halves of characters, bytes that were no text."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


_NODE = "id, parent, author, text, created, origin, tokens, tokens_per_second, reason, notices, bookmarked, deleted"
_LIST = """
SELECT s.*,
    (SELECT group_concat(tag, char(10)) FROM tags WHERE session = s.id) AS tags
FROM sessions s
"""
_NOT_EMPTY = "AND (s.draft != '' OR s.first_words != '')"
_ORDER = "ORDER BY s.changed DESC, s.id DESC"
