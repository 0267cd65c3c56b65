"""What there is to know of one run of a list besides its figures: why it ended, how to go on, and its note."""

from __future__ import annotations

from time import time

from ..engine import paths
from ..engine.run_summary import RunSummary
from . import keys
from .run_words import last_heard
from .text import formatting

LOG_LINES = 4  # the last ones, of a run whose process died


def run_detail(run: RunSummary) -> list[str]:
    """A few lines of plain text, the most important first; none where there is nothing to say."""
    lines = []
    if run.problem:
        lines = [formatting.one_line(run.problem)]
    elif run.state == "crashed":
        lines = _crash(run)
    elif run.state == "silent":
        lines = [f"{last_heard(run.run)}: whether it goes on cannot be seen from here, and no command reaches it"]
    elif run.state == "failed" and run.status is not None:
        reason = formatting.one_line(run.status.reason) or "its log.txt may say why"
        lines = [f"failed at step {run.status.step:,}: {reason}"]
    if run.run.path.parent != paths.runs_dir():
        lines.append(formatting.one_line(f"in {run.run.path}"))
    if run.about.note:
        lines.append(formatting.one_line(f"note: {run.about.note}"))
    return lines


def _crash(run: RunSummary) -> list[str]:
    status = run.status
    when = f" at step {status.step:,}, {formatting.duration(abs(time() - status.heartbeat))} ago" if status else ""
    if run.run.checkpoint("last") is not None:
        what_to_do = f"{keys.spoken('runs.continue')} goes on from its last checkpoint"
    else:
        what_to_do = f"it had saved nothing; {keys.spoken('runs.new')} makes a new run"
    log = [f"  {formatting.one_line(line)}" for line in run.run.last_log_lines(LOG_LINES) if line.strip()]
    if not log:
        silent = "its log.txt is empty, as where the system kills a process, most often for want of memory"
        return [f"its process died{when}; {silent}; {what_to_do}."]
    return [f"its process died{when}: {what_to_do}. The end of its log.txt:", *log]
