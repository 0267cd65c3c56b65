"""The courses of the runs that are drawn, each followed from when it is first shown."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ..engine.history.reader import HistoryReader
from ..engine.history.run_history import RunHistory
from ..engine.runs import Run

_KEPT = 12  # that are not shown: who goes back and forth between runs does not wait
_SECONDS = 0.05  # that reading may take at a time, so that a long file never holds up the keyboard


class RunHistories:
    """Reads what is new whenever it is asked."""

    def __init__(self) -> None:
        self._readers: dict[Run, HistoryReader] = {}  # those that were shown last at the end

    def of(self, runs: Sequence[Run]) -> list[tuple[Run, RunHistory]]:
        """The courses of these runs as far as they are read by now."""
        until = time.monotonic() + _SECONDS
        for run in runs:
            reader = self._readers.pop(run, None) or HistoryReader(run.metrics_path)
            self._readers[run] = reader
            reader.poll(max(0.0, until - time.monotonic()))
        for run in list(self._readers)[: -len(runs) - _KEPT]:
            del self._readers[run]
        return [(run, self._readers[run].history) for run in runs]
