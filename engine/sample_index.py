"""Where the samples of a run stand in its events, so that any of them can be read again.

What is kept of a sample is its step and its place in the file; of a run with more than MOST samples of a prompt, every
second one. A run of a million steps takes less than a megabyte, however long its texts are.
"""

from __future__ import annotations

import time
from array import array
from bisect import bisect_left
from dataclasses import dataclass, field
from pathlib import Path

from ..data.storage.plain_files import open_plain
from ..data.storage.typed_json import SchemaError
from .events import TRAINING_EVENTS, Sample

MOST = 10_000  # samples of a prompt
MOST_SERIES = 64  # prompts of a run; a list that was changed more often than that loses the first
_CHUNK = 2**20  # bytes that are read at once
_LONGEST = 2**20  # bytes of a line; a longer one is no sample of ours
_SIGN = b'"event":"sample"'


@dataclass(eq=False)
class SampleSeries:
    """The samples of one prompt, in the order of their steps."""

    prompt: str
    index: int  # among the prompts of the run
    steps: array[int] = field(default_factory=lambda: array("q"))
    offsets: array[int] = field(default_factory=lambda: array("q"))
    lengths: array[int] = field(default_factory=lambda: array("q"))

    def add(self, step: int, offset: int, length: int) -> None:
        """The sample of a step. Later ones were of a process whose steps this one repeats, and are dropped."""
        end = bisect_left(self.steps, step)
        for column, value in ((self.steps, step), (self.offsets, offset), (self.lengths, length)):
            del column[end:]
            column.append(value)
        if len(self.steps) > MOST:
            for column in (self.steps, self.offsets, self.lengths):
                del column[1:-1:2]


class SampleIndex:
    """The samples in a run's metrics.jsonl, found a piece at a time by `read`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.series: list[SampleSeries] = []
        self._offset = 0  # where the next line begins
        self._skipping = False  # within a line that is too long

    def read(self, seconds: float = 0.02) -> bool:
        """Look through what is new, for about so long; whether there was a sample."""
        until, found = time.monotonic() + seconds, False
        while (piece := self._next_piece()) is not None:
            found |= self._look_through(piece)
            if time.monotonic() > until:
                break
        return found

    def sample(self, series: SampleSeries, at: int) -> Sample | None:
        """The sample at this place of the series; None where the file cannot be read, or is another one by now."""
        try:
            with open_plain(self.path, follow_links=False) as file:
                file.seek(series.offsets[at])
                event = TRAINING_EVENTS.decode(file.read(series.lengths[at]))
        except (OSError, IndexError, SchemaError):
            return None
        return event if isinstance(event, Sample) else None

    def _next_piece(self) -> bytes | None:
        """Whole lines from where the last piece ended, empty for a part of a line that is too long; None at the end."""
        try:
            size = self.path.stat().st_size
            if size < self._offset:  # it was written anew
                self.series, self._offset, self._skipping = [], 0, False
            if size == self._offset:
                return None
            with open_plain(self.path, follow_links=False) as file:
                file.seek(self._offset)
                piece = file.read(_CHUNK)
        except OSError:
            return None
        end = piece.rfind(b"\n") + 1
        if not end and len(piece) < _CHUNK:
            return None  # half a line
        if not end or self._skipping:  # a line that is too long: go on behind its end
            end = piece.find(b"\n") + 1
            self._skipping = not end
            self._offset += end or len(piece)
            return b""
        return piece[:end]

    def _look_through(self, piece: bytes) -> bool:
        found, at = False, piece.find(_SIGN)
        while at >= 0:
            begin, end = piece.rfind(b"\n", 0, at) + 1, piece.find(b"\n", at)
            found |= self._add(piece[begin:end], self._offset + begin)
            at = piece.find(_SIGN, end)
        self._offset += len(piece)
        return found

    def _add(self, line: bytes, offset: int) -> bool:
        if len(line) > _LONGEST:
            return False
        try:
            event = TRAINING_EVENTS.decode(line)
        except SchemaError:
            return False
        if not isinstance(event, Sample) or event.step < 0:
            return False
        self._series_of(event).add(event.step, offset, len(line))
        return True

    def _series_of(self, sample: Sample) -> SampleSeries:
        for series in self.series:
            if (series.prompt, series.index) == (sample.prompt, sample.index):
                return series
        self.series.append(SampleSeries(sample.prompt, sample.index))
        del self.series[:-MOST_SERIES]
        return self.series[-1]
