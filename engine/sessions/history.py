"""What undo and redo step over, kept in the file."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from .database import Database


class Change(NamedTuple):
    """What a step changed of a node besides the place of the person; values as the column has them."""

    node: int
    column: Literal["deleted", "merged", "beginning"]  # beginning: parent and parts together, as [parent, parts]
    before: object
    after: object


@dataclass(frozen=True)
class Step:
    """One change of a session: from the end of which node to the end of which one the person went."""

    id: int
    start: int | None
    stop: int | None
    changes: tuple[Change, ...] = ()
    done: bool = True  # else it was undone


class History:
    """The steps of one session, those that are done before those that were undone."""

    def __init__(self, database: Database, session: int) -> None:
        self._database, self._session = database, session

    def add(self, start: int | None, stop: int | None, changes: tuple[Change, ...] = ()) -> int:
        """A step was done: those that were undone before it can never be redone; its id."""
        self._database.execute("DELETE FROM history WHERE session = ? AND NOT done", self._session)
        return self._database.execute(
            "INSERT INTO history (session, start, stop, changes) VALUES (?, ?, ?, ?)",
            self._session, start, stop, json.dumps(changes),
        )  # fmt: skip

    def steps(self) -> list[Step]:
        """All of them."""
        query = f"SELECT {_COLUMNS} FROM history WHERE session = ? ORDER BY id"
        return [_step(row) for row in self._database.rows(query, self._session)]

    def insert(self, steps: Iterable[Step]) -> None:
        """Add steps of the same nodes from another database, under the ids that they have there."""
        for step in steps:
            self._database.execute(
                "INSERT INTO history (id, session, start, stop, changes, done) VALUES (?, ?, ?, ?, ?, ?)",
                step.id, self._session, step.start, step.stop, json.dumps(step.changes), step.done,
            )  # fmt: skip

    def move(self, step: int, stop: int | None) -> None:
        """Say that a step ends elsewhere."""
        self._database.execute("UPDATE history SET stop = ? WHERE id = ?", stop, step)

    def remove(self, step: int) -> None:
        """Forget a step that changed nothing in the end."""
        self._database.execute("DELETE FROM history WHERE id = ?", step)

    def last_done(self) -> Step | None:
        """What undo takes back."""
        return self._one("done ORDER BY id DESC")

    def first_undone(self) -> Step | None:
        """What redo does again."""
        return self._one("NOT done ORDER BY id")

    def set_done(self, step: int, done: bool) -> None:
        """Say that a step was undone, or done again."""
        self._database.execute("UPDATE history SET done = ? WHERE id = ?", done, step)

    def _one(self, condition: str) -> Step | None:
        query = f"SELECT {_COLUMNS} FROM history WHERE session = ? AND {condition} LIMIT 1"
        for row in self._database.rows(query, self._session):
            return _step(row)
        return None


_COLUMNS = "id, start, stop, changes, done"


def _step(row: sqlite3.Row) -> Step:
    return Step(row["id"], row["start"], row["stop"], _changes(row["changes"]), bool(row["done"]))


def _changes(text: str) -> tuple[Change, ...]:
    """The changes of a step; what is damaged changes nothing."""
    try:
        return tuple(Change(*change) for change in json.loads(text))
    except (ValueError, TypeError, RecursionError):
        return ()
