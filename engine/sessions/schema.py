"""The tables of sessions.sqlite, and how those of an earlier version become those of this one."""

from __future__ import annotations

import sqlite3

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

_STEPS = (_FIRST,)  # from version 0, an empty file, to version 1, and so on

VERSION = len(_STEPS)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the tables to this version. Raises ValueError for a file that a later version has written."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise ValueError(f"it is of version {version}, and this program knows {VERSION}")
    for number, step in enumerate(_STEPS[version:], version + 1):
        connection.executescript(f"BEGIN IMMEDIATE; {step} PRAGMA user_version = {number}; COMMIT;")
