"""The tables of sessions.sqlite, and how those of an earlier version become those of this one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from .records import with_lengths

_FIRST = """
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,                -- empty: it is called by its first words
    way TEXT NOT NULL,                 -- turns, document, chat
    model TEXT NOT NULL,               -- what it was last continued with
    created REAL NOT NULL,             -- Unix times
    changed REAL NOT NULL,
    first_words TEXT NOT NULL DEFAULT '',
    characters INTEGER NOT NULL DEFAULT 0,
    leaf INTEGER,                      -- the node at whose end the person is
    draft TEXT NOT NULL DEFAULT '',    -- what was typed and not sent
    deleted REAL                       -- when it was moved to the trash
);
CREATE TABLE tags (
    session INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
    tag TEXT NOT NULL,
    PRIMARY KEY (session, tag)
) WITHOUT ROWID;
CREATE TABLE nodes (
    id INTEGER PRIMARY KEY,
    session INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
    parent INTEGER REFERENCES nodes ON DELETE CASCADE,
    author TEXT NOT NULL,              -- person, model, note
    text TEXT NOT NULL,
    created REAL NOT NULL,
    origin TEXT,                       -- JSON of Origin
    records BLOB NOT NULL DEFAULT x'', -- of its tokens, as tree.pack writes them
    tokens INTEGER NOT NULL DEFAULT 0,
    tokens_per_second REAL NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT '',   -- empty while it is being written
    notices TEXT NOT NULL DEFAULT '[]',
    bookmarked INTEGER NOT NULL DEFAULT 0,
    deleted INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX nodes_of_session ON nodes (session, id);
CREATE INDEX unfinished ON nodes (id) WHERE reason = '';
-- A reply that streams grows here, so that no piece rewrites those before it.
CREATE TABLE pieces (
    id INTEGER PRIMARY KEY,
    node INTEGER NOT NULL REFERENCES nodes ON DELETE CASCADE,
    text TEXT NOT NULL,
    records BLOB NOT NULL
);
CREATE INDEX pieces_of_node ON pieces (node, id);
-- Trigrams find what stands within words, and texts whose writing has no spaces.
CREATE VIRTUAL TABLE search USING fts5 (text, content = 'nodes', content_rowid = 'id', tokenize = 'trigram');
CREATE TRIGGER found AFTER UPDATE OF reason ON nodes WHEN old.reason = '' AND new.reason != '' BEGIN
    INSERT INTO search (rowid, text) VALUES (new.id, new.text);
END;
CREATE TRIGGER found_at_once AFTER INSERT ON nodes WHEN new.reason != '' BEGIN
    INSERT INTO search (rowid, text) VALUES (new.id, new.text);
END;
CREATE TRIGGER forgotten AFTER DELETE ON nodes WHEN old.reason != '' BEGIN
    INSERT INTO search (search, rowid, text) VALUES ('delete', old.id, old.text);
END;
"""

_SECOND = """
-- A node that was cut, copied or merged is made of parts of others' texts: JSON [[node, start, stop], ...] with the
-- nodes that were written with those texts; stop is null for the end. Empty: it is all of its own text.
ALTER TABLE nodes ADD COLUMN parts TEXT NOT NULL DEFAULT '';
ALTER TABLE nodes ADD COLUMN merged INTEGER NOT NULL DEFAULT 0;  -- into one that followed it
ALTER TABLE nodes ADD COLUMN opened INTEGER NOT NULL DEFAULT 0;  -- the greater, the later the person was at its end
UPDATE nodes SET records = with_lengths(records, text) WHERE length(records) > 0;
UPDATE pieces SET records = with_lengths(records, text) WHERE length(records) > 0;
CREATE INDEX deleted_nodes ON nodes (session) WHERE deleted;
ALTER TABLE sessions ADD COLUMN cursor INTEGER;  -- where in the text the person is
-- What undo and redo step over: from which node's end to which one's each change went, and what else it changed, as
-- JSON [[node, column, before, after], ...].
CREATE TABLE history (
    id INTEGER PRIMARY KEY,
    session INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
    start INTEGER,
    stop INTEGER,
    changes TEXT NOT NULL DEFAULT '[]',
    done INTEGER NOT NULL DEFAULT 1    -- 0: it was undone
);
CREATE INDEX history_of_session ON history (session, done, id);
"""

_THIRD = """
-- How likely a model found the words of a node that it read afterwards. The records end where the text that ends at the
-- node does, so that they stay right where that is cut or merged.
CREATE TABLE scores (
    node INTEGER PRIMARY KEY REFERENCES nodes ON DELETE CASCADE,
    checkpoint TEXT NOT NULL,          -- SHA-256 of the model's weights
    framed INTEGER NOT NULL,           -- by its chat template
    records BLOB NOT NULL
);
"""

_STEPS = (_FIRST, _SECOND, _THIRD)  # from version 0, an empty file, to version 1, and so on

VERSION = len(_STEPS)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the tables to this version. Raises ValueError for a file that a later version has written."""
    if _version(connection) == VERSION:
        return
    connection.create_function("with_lengths", 2, with_lengths, deterministic=True)
    connection.execute("BEGIN IMMEDIATE")  # two apps may open the file at once: the second finds it done
    try:
        version = _version(connection)
        if version > VERSION:
            raise ValueError(f"it is of version {version}, and this program knows {VERSION}")
        for step in _STEPS[version:]:
            for statement in _statements(step):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return version


def _statements(script: str) -> Iterator[str]:
    """Each statement of a script; a trigger is one."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
