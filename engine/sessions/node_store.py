"""The nodes in sessions.sqlite: added as they are written, cut and copied without a copy of their words."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from ...data.storage.typed_json import dumps
from .database import Database
from .records import TokenRecord, pack, unpack
from .tree import Author, Node, Origin, Part, Source, Tree, packed

_FIRST_WORDS = 120  # characters of a session's first words
_COPIED = "copied"  # the reason that a node without words of its own has ended


class NodeStore(Database):
    """The nodes of all sessions. Every method raises UserError where it cannot."""

    # --- reading --------------------------------------------------------------------------------------

    def tree(self, session: int) -> Tree:
        """All nodes of the session, also those that are deleted and the one that is being written."""
        pieces: dict[int, list[str]] = {}
        query = "SELECT p.node, p.text FROM pieces p JOIN nodes n ON n.id = p.node WHERE n.session = ? ORDER BY p.id"
        for row in self.rows(query, session):
            pieces.setdefault(row["node"], []).append(row["text"])
        sources: dict[int, Source] = {}
        nodes: list[Node] = []
        for row in self.rows(f"SELECT {_COLUMNS} FROM nodes WHERE session = ? ORDER BY id", session):
            number = row["id"]
            if row["author"] or not row["parts"]:
                sources[number] = _source(row, "".join((row["text"], *pieces.get(number, ()))))
            nodes.append(_node(row, sources))
        return Tree(nodes, sources)

    def records(self, node: int) -> list[TokenRecord]:
        """What is kept of the tokens of what was written as this node; empty where they were not explained."""
        packed = [row["records"] for row in self.rows("SELECT records FROM nodes WHERE id = ?", node)]
        packed += [row["records"] for row in self.rows("SELECT records FROM pieces WHERE node = ? ORDER BY id", node)]
        with self._expected():
            return [record for part in packed for record in unpack(part)]

    def scores(self, session: int, checkpoint: str, framed: bool) -> dict[int, list[TokenRecord]]:
        """How likely this checkpoint found what the nodes say, as `set_score` has kept it; what is damaged is none."""
        query = (
            "SELECT s.node, s.records FROM scores s JOIN nodes n ON n.id = s.node "
            "WHERE n.session = ? AND s.checkpoint = ? AND s.framed = ?"
        )
        scores: dict[int, list[TokenRecord]] = {}
        for row in self.rows(query, session, checkpoint, framed):
            with suppress(ValueError, TypeError):
                scores[row["node"]] = unpack(row["records"])
        return scores

    # --- writing --------------------------------------------------------------------------------------

    def add(self, session: int, parent: int | None, author: Author, text: str) -> int:
        """Add a whole node that a person or the app has written; its id."""
        with self.transaction():
            node = self.write(session, parent, Source(0, author, text, time.time(), reason="written"))
            self.execute("UPDATE sessions SET leaf = ?, changed = ? WHERE id = ?", node, time.time(), session)
        return node

    def begin(self, session: int, parent: int | None, origin: Origin) -> int:
        """Add an empty node that a model begins to write; its id. Pieces follow by `append`, and `finish` ends it."""
        return self.write(session, parent, Source(0, "model", "", time.time(), origin))

    def write(
        self, session: int, parent: int | None, source: Source, records: Iterable[TokenRecord] = ()
    ) -> int:  # fmt: skip
        """Add a node of new words; its id. Without a reason they are still being written."""
        return self._insert(session, parent, source, records=pack(records))

    def append(self, node: int, text: str, records: Iterable[TokenRecord] = ()) -> None:
        """Save a piece of a node that is being written. One call for all of some tenths of a second costs little."""
        with self.transaction():
            self.execute("INSERT INTO pieces (node, text, records) VALUES (?, ?, ?)", node, text, pack(records))
            for (session,) in list(self.rows("SELECT session FROM nodes WHERE id = ?", node)):
                self._count(session, text)

    def set_text(self, node: int, text: str) -> None:
        """Replace the text of a node that a person is writing."""
        self.execute("UPDATE nodes SET text = ? WHERE id = ?", text, node)

    def end(self, node: int, reason: str) -> None:
        """End a node that a person was writing."""
        self.execute("UPDATE nodes SET reason = ? WHERE id = ?", reason, node)

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
        with self.transaction():
            rows = list(self.rows("SELECT text, records FROM pieces WHERE node = ? ORDER BY id", node))
            self.execute(
                "UPDATE nodes SET text = text || ?, records = CAST(records || ? AS BLOB), reason = ?, tokens = ?, "
                "tokens_per_second = ?, origin = coalesce(?, origin), notices = ? WHERE id = ?",
                "".join(row["text"] for row in rows), b"".join(row["records"] for row in rows), reason, tokens,
                tokens_per_second, origin and dumps(origin), json.dumps(notices), node,
            )  # fmt: skip
            self.execute("DELETE FROM pieces WHERE node = ?", node)
            self.execute(
                "UPDATE sessions SET changed = ?, leaf = ? WHERE id = (SELECT session FROM nodes WHERE id = ?)",
                time.time(), node, node,
            )  # fmt: skip

    def set_score(self, node: int, checkpoint: str, framed: bool, records: Iterable[TokenRecord]) -> None:
        """Keep how likely a checkpoint found what a node says, instead of what another one found.

        The records end where the text of the node ends; `framed` says that a chat template framed it.
        """
        self.execute(
            "INSERT OR REPLACE INTO scores (node, checkpoint, framed, records) VALUES (?, ?, ?, ?)",
            node, checkpoint, framed, pack(records),
        )  # fmt: skip

    def set_place(self, session: int, leaf: int | None, beginning: str, characters: int) -> None:
        """Say at the end of which node the person is, how the text begins there and how long it is."""
        words = first_words(beginning)
        self.execute(
            "UPDATE sessions SET leaf = ?, characters = ?, changed = ?, "
            "first_words = CASE WHEN ? = '' THEN first_words ELSE ? END WHERE id = ?",
            leaf, characters, time.time(), words, words, session,
        )  # fmt: skip

    def mark(self, node: int, *, bookmarked: bool | None = None, deleted: bool | None = None) -> None:
        """Set or remove a node's bookmark; delete it with all that follows it, or bring it back."""
        if bookmarked is not None:
            self.execute("UPDATE nodes SET bookmarked = ? WHERE id = ?", bookmarked, node)
        if deleted is not None:
            self.execute("UPDATE nodes SET deleted = ? WHERE id = ?", deleted, node)

    # --- parts ----------------------------------------------------------------------------------------

    def copy(self, session: int, parent: int | None, parts: Iterable[Part]) -> int:
        """Add a node that is made of parts of what was written before; its id."""
        return self._insert(session, parent, None, packed(parts))

    def change(self, node: int, parent: int | None, parts: str) -> None:
        """Let a node follow another, and be made of other parts: all of its own text where `parts` is empty."""
        self.execute("UPDATE nodes SET parent = ?, parts = ? WHERE id = ?", parent, parts, node)

    def set_merged(self, node: int, merged: bool) -> None:
        """Say that a node is a part of one that followed it, or no longer."""
        self.execute("UPDATE nodes SET merged = ? WHERE id = ?", merged, node)

    def set_opened(self, node: int, opened: int) -> None:
        """Say when the person was at the end of a node."""
        self.execute("UPDATE nodes SET opened = ? WHERE id = ?", opened, node)

    def remove(self, node: int) -> None:
        """Forget a node of which nothing is made and which nothing follows."""
        self.execute("DELETE FROM nodes WHERE id = ?", node)

    def insert(
        self,
        session: int,
        tree: Tree,
        records: Mapping[int, Sequence[TokenRecord]],
        leaf: int | None,
        *,
        same_ids: bool = False,
    ) -> None:
        """Add the nodes of a tree from elsewhere under new ids, or under the `same_ids` where this store has none."""
        nodes = sorted(tree.nodes.values(), key=lambda node: node.id)  # siblings stand in the order of their ids
        with self.transaction():
            ids: dict[int | None, int | None] = {None: None}
            for node in nodes:
                ids[node.id] = self._insert(
                    session, ids.get(node.parent), tree.sources.get(node.id), node=node,
                    records=pack(records.get(node.id, ())), id=node.id if same_ids else None,
                )  # fmt: skip
            for node in nodes:
                number, parent, parts = ids[node.id], ids.get(node.parent), ""
                if not node.whole:
                    parts = json.dumps([(ids[part.source.id], part.start, part.stop) for part in node.parts])
                if number is not None and (parts or parent is not None):
                    self.change(number, parent, parts)
            if not same_ids:  # nobody goes on to write them
                self.execute("UPDATE nodes SET reason = 'cancelled' WHERE reason = '' AND session = ?", session)
            self.execute("UPDATE sessions SET leaf = ?, changed = ? WHERE id = ?", ids.get(leaf), time.time(), session)

    def _count(self, session: int, text: str) -> None:
        """Add to the size of the session, and call it by these words where it has none yet."""
        self.execute("UPDATE sessions SET characters = characters + ? WHERE id = ?", len(text), session)
        words = first_words(text)
        self.execute("UPDATE sessions SET first_words = ? WHERE id = ? AND first_words = ''", words, session)

    def _insert(
        self,
        session: int,
        parent: int | None,
        source: Source | None,
        parts: str = "",
        *,
        node: Node | None = None,
        records: bytes = b"",
        id: int | None = None,
    ) -> int:
        """Add a row: with words of its own, or made of parts; the marks are those of `node`."""
        if source is None:
            source = Source(0, "note", "", time.time(), reason=_COPIED)
            author = ""
        else:
            author = source.author
            if author != "note":
                self._count(session, source.text)
        return self.execute(
            "INSERT INTO nodes (id, session, parent, author, text, created, origin, records, tokens, "
            "tokens_per_second, reason, notices, parts, bookmarked, deleted, merged, opened) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            id, session, parent, author, source.text, source.created, source.origin and dumps(source.origin), records,
            source.tokens, source.tokens_per_second, source.reason, json.dumps(source.notices), parts,
            *((node.bookmarked, node.deleted, node.merged, node.opened) if node else (False, False, False, 0)),
        )  # fmt: skip


def first_words(text: str) -> str:
    """How a text begins, in one line."""
    return " ".join(text[: 4 * _FIRST_WORDS].split())[:_FIRST_WORDS]


def _source(row: sqlite3.Row, text: str) -> Source:
    author: Author = row["author"] if row["author"] in ("person", "model") else "note"
    return Source(
        row["id"], author, text, row["created"], row["origin"], row["tokens"], row["tokens_per_second"],
        row["reason"], row["notices"],
    )  # fmt: skip


def _node(row: sqlite3.Row, sources: dict[int, Source]) -> Node:
    number = row["id"]
    return Node(
        number, row["parent"], row["parts"] or (Part(sources[number]),), sources, bookmarked=bool(row["bookmarked"]),
        deleted=bool(row["deleted"]), merged=bool(row["merged"]), opened=row["opened"],
    )  # fmt: skip


_COLUMNS = (
    "id, parent, author, text, created, origin, tokens, tokens_per_second, reason, notices, parts, bookmarked, "
    "deleted, merged, opened"
)
