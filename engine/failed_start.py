"""A start that fails before the first step leaves no run behind: its folder goes to the trash, with its log."""

from __future__ import annotations

from pathlib import Path

from ..data.storage.errors import EXPECTED
from ..data.storage.typed_json import SchemaError
from .events import TRAINING_EVENTS, Acknowledged, Note, Preparing, StateChanged
from .follow import LineFollower
from .run_trash import trash_run
from .runs import Run

_OURS = {"run.json", "metrics.jsonl", "status.json", "commands.jsonl", "lock", "log.txt", "checkpoints"}


def discard_failed_start(run: Run) -> Path | None:
    """Move a run that has failed before it trained to the trash and return where it is; None where it stays.

    It stays while its process lives, once that has begun to train, and where a person has put anything into its folder.
    """
    try:
        return trash_run(run) if not run.is_alive() and _has_failed(run) and _is_untrained(run) else None
    except EXPECTED:  # it stays then, and says what happened
        return None


def _has_failed(run: Run) -> bool:
    """Whether its process says so, or there never was one."""
    status = run.status()
    return status.state == "failed" if status else not run.metrics_path.exists()


def _is_untrained(run: Run) -> bool:
    if not {entry.name for entry in run.path.iterdir()} <= _OURS:
        return False
    if run.checkpoints.exists() and any(run.checkpoints.iterdir()):
        return False
    try:
        events = [TRAINING_EVENTS.decode(line) for line in LineFollower(run.metrics_path).read()]
    except SchemaError:
        return False
    return all(isinstance(event, (StateChanged, Note, Preparing, Acknowledged)) for event in events)
