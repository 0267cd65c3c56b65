"""How far a process of ours is, as lines of JSON for whoever started it."""

from __future__ import annotations

import json
import time

_INTERVAL = 0.1  # seconds between two lines


class ProgressLines:
    """Prints {"progress": 0.4} on standard output, a few times a second however often it is called.

    Where the work has several parts, each line names the one that is done now: {"progress": 0.4, "doing": "reading"}.
    """

    def __init__(self, doing: str = "") -> None:
        self._printed = 0.0
        self._part = {"doing": doing} if doing else {}

    def __call__(self, fraction: float) -> None:
        """`fraction` of the work is done."""
        if time.perf_counter() - self._printed >= _INTERVAL:
            self._printed = time.perf_counter()
            print(json.dumps({"progress": round(fraction, 4), **self._part}), flush=True)
