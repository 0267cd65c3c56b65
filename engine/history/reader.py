"""Reads a run's metrics.jsonl into its history, fast and in slices, so that whoever draws never waits.

A long file is first read coarsely: every event that is not a step, and every so many steps. The whole of it follows in
slices, and takes the place of the first picture when it has come to the end.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...data.storage.plain_files import open_plain
from ...data.storage.typed_json import LARGEST, SchemaError, parse
from ..events import TRAINING_EVENTS, Step
from ..follow import LineFollower
from .binned_rows import CAPACITY, rows_per_bin_for
from .run_history import FIGURES, PLACES, RunHistory, row_of

LONG = 4 * 2**20  # bytes of a file of which a coarse picture comes first
_CHUNK = 2**17  # bytes that are read before the time is looked at again
_COARSE_CHUNK = 2**20
_STEP = b'{"event":"step",'
_WHOLE, _OPTIONAL = ("step", "tokens", "memory"), ("gradient_norm", "mfu")


class HistoryReader:
    """Follows one file; `history` is what is known by now, a new object where the file was read anew."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.history = RunHistory()
        self.is_complete = False  # whether all that was in the file has been read once
        self._follower = LineFollower(path)
        self._restarts = 0
        self._next = self.history  # what the slices are read into
        self._open()

    def poll(self, seconds: float = 0.05) -> bool:
        """Read what is new, for about `seconds` at most; whether `history` has changed."""
        until = time.monotonic() + seconds
        before, version = self.history, self.history.version
        while lines := self._follower.read(_CHUNK):
            if self._follower.restarts != self._restarts:
                self._restarts = self._follower.restarts
                self.history = self._next = RunHistory()
            take(self._next, lines)
            if time.monotonic() >= until:
                break
        else:
            self.is_complete, self.history = True, self._next
        return self.history is not before or self.history.version != version

    def read_all(self) -> RunHistory:
        """All that is in the file now."""
        while not self.is_complete:
            self.poll(1.0)
        return self.history

    def _open(self) -> None:
        try:
            size = self.path.stat().st_size
            if size < LONG:
                return
            with open_plain(self.path, follow_links=False) as file:
                rest, stride = b"", 0
                while size > 0 and (piece := file.read(min(size, _COARSE_CHUNK))):
                    if not stride:
                        rows = size * piece.count(b"\n") // len(piece)
                        self._next = RunHistory(rows_per_bin=rows_per_bin_for(rows))
                        stride = max(1, rows // CAPACITY)
                    size -= len(piece)
                    *lines, rest = (rest + piece).split(b"\n")
                    take(self.history, lines, stride)
        except OSError:
            return


def take(history: RunHistory, lines: Sequence[bytes], stride: int = 1) -> None:
    """Add the events on `lines` to a history, of steps in a row every `stride`-th; what is no event is passed over."""
    others = [i for i, line in enumerate(lines) if not line.startswith(_STEP)]
    begin = 0
    for i in (*others, len(lines)):
        if i > begin:
            history.extend(_rows(lines[begin:i:stride]))
        begin = i + 1
        if i < len(lines):
            try:
                history.apply(TRAINING_EVENTS.decode(lines[i]))
            except SchemaError:
                continue


def _rows(lines: Sequence[bytes]) -> list[tuple[float, ...]]:
    """The steps on these lines. Together they take a third of the time, so one by one only where any is damaged."""
    try:
        steps = parse(b"[" + b",".join(lines) + b"]")
        columns = [_checked(name, [step.get(name) for step in steps]) for name in (*PLACES, *FIGURES)]
    except (ValueError, RecursionError, TypeError, AttributeError):
        return _rows_one_by_one(lines)
    return list(zip(*columns, strict=True)) if len(steps) == len(lines) else _rows_one_by_one(lines)


def _checked(name: str, values: list[Any]) -> list[float]:
    """A field of many steps, checked as that of one is. Raises ValueError."""
    kinds = set(map(type, values))
    if name in _WHOLE:
        fits = kinds == {int} and min(values) >= -LARGEST and max(values) <= LARGEST
    else:
        fits = kinds <= ({float, type(None)} if name in _OPTIONAL else {float})
    if not fits:
        raise ValueError(name)
    return values if type(None) not in kinds else [math.nan if value is None else value for value in values]


def _rows_one_by_one(lines: Sequence[bytes]) -> list[tuple[float, ...]]:
    rows = []
    for line in lines:
        try:
            event = TRAINING_EVENTS.decode(line)
        except SchemaError:
            continue
        if isinstance(event, Step):
            rows.append(row_of(event))
    return rows
