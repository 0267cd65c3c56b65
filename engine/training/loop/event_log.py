"""What a train process writes for those who watch: events in metrics.jsonl, and its state in status.json."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Literal

from ....data.storage.plain_files import ends_within_a_line, open_plain
from ...events import (
    TRAINING_EVENTS,
    CheckpointSaved,
    Evaluation,
    Note,
    RunState,
    Settings,
    Started,
    StateChanged,
    Step,
    TrainingEvent,
)
from ...runs import Run, RunStatus

HEARTBEAT = 1.5  # seconds


class EventLog:
    """Appends events and keeps status.json up to date; in its context a thread writes the heartbeat, also in a pause.

    A full disk costs events, never the run: an event that cannot be written is dropped. So is one of a run whose folder
    `is_gone`: another run may stand in its place.
    """

    def __init__(self, run: Run, is_gone: Callable[[], bool] = lambda: False) -> None:
        self._run, self.is_gone = run, is_gone
        self.saved = False  # whether this process has written a checkpoint
        blank = RunStatus("starting", os.getpid(), socket.gethostname(), 0, None, time.time())
        # a resumed run keeps its step and losses, also if it is stopped before its next step
        self._status = dataclasses.replace(
            run.status() or blank,
            state="starting",
            pid=blank.pid,
            host=blank.host,
            heartbeat=blank.heartbeat,
            reason="",
        )
        self._writing = threading.Lock()
        self._closed = threading.Event()
        self._line_is_open = ends_within_a_line(run.metrics_path)
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> EventLog:
        self.state("starting")
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self._closed.set()
        self._thread.join()

    def emit(self, event: TrainingEvent) -> None:
        """Append one event; a change of state is in status.json before it is in metrics.jsonl."""
        with self._writing:
            self._status = _after(self._status, event)
            self.saved |= isinstance(event, CheckpointSaved)
            if isinstance(event, StateChanged):
                self._write_status()
            self._append(TRAINING_EVENTS.encode(event))

    def state(self, state: RunState, reason: str = "") -> None:
        """Emit a change of state at the present step."""
        self.emit(StateChanged(state, self._status.step, time.time(), reason))

    def not_resumed(self, before: RunStatus, reason: str) -> None:
        """Say why the run could not be resumed; its state stays what it was `before`."""
        with self._writing:
            self._status = before
            self._write_status()
            self._append(TRAINING_EVENTS.encode(StateChanged("failed", before.step, time.time(), reason)))
            self._append(TRAINING_EVENTS.encode(StateChanged(before.state, before.step, time.time(), before.reason)))

    def note(self, text: str, severity: Literal["information", "warning", "error"] = "information") -> None:
        """Emit one sentence for the person, at the present step."""
        self.emit(Note(self._status.step, text, severity))

    def warn(self, text: str) -> None:
        """Emit a warning."""
        self.note(text, "warning")

    def _append(self, line: str) -> None:
        if self.is_gone():
            return
        try:
            # opened again for each event: a file that was deleted or rotated away is made again
            with open_plain(self._run.metrics_path, "ab", follow_links=False) as file:
                content = (("\n" if self._line_is_open else "") + line).encode()
                self._line_is_open = file.write(content) < len(content)
        except OSError:
            self._line_is_open = True

    def _write_status(self) -> None:
        if self.is_gone():
            return
        self._status = dataclasses.replace(self._status, heartbeat=time.time())
        with contextlib.suppress(OSError):  # the disk is full or gone; the lock still tells that the run lives
            self._run.write_status(self._status)

    def _beat(self) -> None:
        while not self._closed.wait(HEARTBEAT):
            with self._writing:
                self._write_status()


def _after(status: RunStatus, event: TrainingEvent) -> RunStatus:
    """The status once `event` has happened."""
    match event:
        case StateChanged():
            return dataclasses.replace(status, state=event.state, step=event.step, reason=event.reason)
        case Started():
            return dataclasses.replace(
                status, step=event.step, total_steps=event.total_steps, parameters=event.parameters
            )
        case Step():
            return dataclasses.replace(
                status, step=event.step, total_steps=event.total_steps, train_loss=event.loss, tokens=event.tokens,
                seconds=event.seconds, tokens_per_second=event.tokens_per_second, remaining=event.remaining,
            )  # fmt: skip
        case Evaluation(best=True):
            return dataclasses.replace(
                status, step=event.step, validation_loss=event.validation_loss, best_step=event.step,
                best_validation_loss=event.validation_loss, bits_per_byte=event.bits_per_byte,
            )  # fmt: skip
        case Evaluation() if event.share == 1 or status.best_validation_loss is None:
            return dataclasses.replace(status, step=event.step, validation_loss=event.validation_loss)
        case Settings():
            return dataclasses.replace(
                status, learning_rate_scale=event.learning_rate_scale, budget=event.budget,
                evaluation_interval=event.evaluation_interval, sample_prompts=event.sample_prompts,
            )  # fmt: skip
        case _:
            return status
