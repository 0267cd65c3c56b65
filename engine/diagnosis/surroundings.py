"""What is known of a run beside its events."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass

from ..events import ENDED_STATES
from ..runs import Run, RunStatus


@dataclass(frozen=True)
class Surroundings:
    """None where it is not known."""

    silent_seconds: float | None = None  # since the run wrote an event, while its process works
    free_bytes: int | None = None  # on the disk of its folder

    @classmethod
    def of(cls, run: Run) -> Surroundings:
        """As they are now; nothing for a run that has ended, or that another host trains."""
        status = run.status()
        if status is None or status.state in ENDED_STATES or run.other_host() is not None:
            return cls()
        try:
            written = run.metrics_path.stat().st_mtime
            return cls(_silence(status, written), shutil.disk_usage(run.path).free)
        except OSError:
            return cls()


def _silence(status: RunStatus, written: float) -> float | None:
    """Seconds since the last event; None in a pause, in which there are none."""
    return max(0.0, time.time() - written) if status.state == "running" else None
