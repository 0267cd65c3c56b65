"""A process that a verb waits for: its lines of JSON are progress or results, and the last one is the answer."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

from ...engine.child_process import child_environment
from ...engine.paths import state_dir
from .console import progress


def result_of(
    command: list[str], doing: str, take: Callable[[dict[str, Any]], None] = lambda line: None
) -> tuple[int, dict[str, Any]]:
    """Run `command` to its end, and return its exit code and last line.

    Lines {"progress": 0.4, "doing": "reading"} move the line of progress, on a terminal; `take` receives all others.
    Where this is interrupted (Ctrl-C, SIGTERM), the process is asked to end and waited for: it removes what it has half
    written.
    """
    home = state_dir()
    home.mkdir(parents=True, exist_ok=True)
    last: dict[str, Any] = {}
    with progress(doing) as update:
        child = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, encoding="utf-8", cwd=home, env=child_environment(),
            start_new_session=True,  # the terminal's Ctrl-C reaches this process alone
        )  # fmt: skip
        assert child.stdout is not None
        try:
            for line in child.stdout:
                last = json.loads(line)
                if "progress" in last:
                    update(last["progress"], last.get("doing", doing))
                else:
                    take(last)
            return child.wait(), last
        except BaseException:
            child.terminate()
            child.wait()
            raise
