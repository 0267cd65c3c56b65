"""A process that a verb waits for: it prints lines of progress, and its result as the last line."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from ...engine.client import child_environment
from ...engine.paths import state_dir


def result_of(command: list[str], doing: str) -> tuple[int, dict[str, Any]]:
    """Run `command` to its end, with the progress on a terminal, and return its exit code and last line.

    Ctrl-C ends it, which then takes away what it has half written; a word of its own would only be in the way.
    """
    home = state_dir()
    home.mkdir(parents=True, exist_ok=True)
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, encoding="utf-8", cwd=home, env=child_environment(),
        start_new_session=True,  # the terminal's Ctrl-C reaches this process alone
    )  # fmt: skip
    last: dict[str, Any] = {}
    assert child.stdout is not None
    try:
        for line in child.stdout:
            last = json.loads(line)
            if "progress" in last and sys.stderr.isatty():
                part = last.get("doing", doing)
                print(f"\r\x1b[K{part} {last['progress']:4.0%}", end="", file=sys.stderr, flush=True)
        return child.wait(), last
    except KeyboardInterrupt:
        child.terminate()
        child.wait()
        raise
    finally:
        if sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr)
