"""An SQLite file as the store of sessions uses it: write-ahead, whole changes or none, errors in one sentence."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...data.storage.errors import UserError
from . import schema

_PATIENCE = 5.0  # seconds that a write waits for another process's


class StoreError(UserError):
    """The file with the sessions cannot be read or written."""


class Database:
    """The connection, used in the thread that made it. Every method raises StoreError where it cannot."""

    def __init__(self, path: Path | None) -> None:
        """Open the file, and make it where there is none; without a path it lies in memory."""
        self._where = str(path or "the memory for sessions")
        with self._expected():
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch(mode=0o600)
            self._connection = sqlite3.connect(path or ":memory:", timeout=_PATIENCE, isolation_level=None)
            self._connection.row_factory = sqlite3.Row
            for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
                self._connection.execute(f"PRAGMA {pragma}")
            schema.migrate(self._connection)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is changed within is kept, or nothing of it; also by a process that is killed."""
        if self._connection.in_transaction:  # a part of a larger one
            yield
            return
        with self._expected():
            self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            with self._expected():
                self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def execute(self, statement: str, *values: object) -> int:
        """Carry out a statement; the id of the row that it has inserted."""
        clean = [storable(value) if isinstance(value, str) else value for value in values]
        with self._expected():
            return self._connection.execute(statement, clean).lastrowid or 0

    def rows(self, query: str, *values: object) -> Iterator[sqlite3.Row]:
        """The rows of a query."""
        with self._expected():
            yield from self._connection.execute(query, values)

    @contextmanager
    def _expected(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise StoreError(
                f"{self._where} cannot be used ({error}); close other programs that use it, or free some space"
            ) from error
        except (sqlite3.DatabaseError, ValueError) as error:
            raise StoreError(
                f"{self._where} cannot be read ({error}); move it away, and the app begins with no sessions"
            ) from error


def storable(text: str) -> str:
    """The text with each character that has no UTF-8 form replaced: halves of characters, bytes that were no text."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
