"""What happens to the runs that train while the app is open: they end, they diverge, they stall.

Whoever trains them, this app or another: all of it is read from their folders.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ..data.storage.typed_json import SchemaError
from ..engine.diagnosis.stall import stall_seconds_of
from ..engine.events import TRAINING_EVENTS, Note
from ..engine.follow import LineFollower
from ..engine.run_summary import RunSummaries, RunSummary
from ..engine.runs import Run
from .run_words import last_heard

Happening = Literal["finished", "stopped", "failed", "crashed", "silent", "diverged", "stalled"]

_ALIVE = ("starting", "running", "paused")
_UNWATCHED = 15.0  # seconds between two looks after which nothing can be said of a silence: the machine has slept


@dataclass(frozen=True)
class RunNews:
    """What has happened to a run, with its figures at that time; losses are nats per token."""

    what: Happening
    run: Run
    name: str  # by which it is shown
    state: str
    step: int
    loss: float | None = None  # the best on the validation text
    reason: str = ""  # in one sentence; foreign text


@dataclass
class _Watched:
    """A run that trains."""

    follower: LineFollower
    heard: float  # when its file of events grew last, on the clock of the watch
    is_stalled: bool = False


class RunWatch:
    """Call `look` every few seconds. Runs that had ended before the first look are never told of."""

    def __init__(self, summaries: RunSummaries, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._summaries = summaries
        self._watched: dict[Run, _Watched] = {}
        self._looked = clock()

    def look(self) -> list[RunNews]:
        """What has happened since the last look."""
        now = self._clock()
        slept, self._looked = now - self._looked > _UNWATCHED, now
        news: list[RunNews] = []
        summaries = self._summaries.read()
        for summary in summaries:
            if summary.run in self._watched:
                news += self._go_on(summary, now, slept=slept)
            elif summary.state in _ALIVE:
                self._watched[summary.run] = _Watched(LineFollower(summary.run.metrics_path, _size(summary.run)), now)
        present = {summary.run for summary in summaries}
        self._watched = {run: watched for run, watched in self._watched.items() if run in present}
        return news

    def _go_on(self, summary: RunSummary, now: float, *, slept: bool) -> list[RunNews]:
        watched = self._watched[summary.run]
        lines = watched.follower.read()
        news = [self._news("diverged", summary, note.text) for note in map(_divergence, lines) if note is not None]
        if summary.state not in _ALIVE:
            del self._watched[summary.run]
            reason = summary.status.reason if summary.status else ""
            what = "diverged" if summary.state == "failed" and "diverged" in reason else summary.state
            if what in ("crashed", "silent"):
                reason = last_heard(summary.run)
            return [*news, self._news(what, summary, reason)]
        silence = now - watched.heard
        if lines or slept or summary.state != "running":
            watched.heard, watched.is_stalled = now, False
        elif not watched.is_stalled and (limit := stall_seconds_of(summary)) is not None and silence > limit:
            watched.is_stalled = True
            news.append(self._news("stalled", summary, f"no event for {silence:.0f} s"))
        return news

    def _news(self, what: Happening, summary: RunSummary, reason: str) -> RunNews:
        status = summary.status
        step, loss = (status.step, status.best_validation_loss) if status else (0, None)
        return RunNews(what, summary.run, summary.name, summary.state, step, loss, reason)


def _divergence(line: bytes) -> Note | None:
    """The note in which a train process says that it has diverged and goes on from a checkpoint."""
    if b"diverged" not in line:
        return None
    try:
        event = TRAINING_EVENTS.decode(line)
    except SchemaError:
        return None
    return event if isinstance(event, Note) and event.severity != "information" else None


def _size(run: Run) -> int:
    try:
        return run.metrics_path.stat().st_size
    except OSError:
        return 0
