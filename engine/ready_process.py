"""A train process that is there before its run: it imports torch, which takes a second or two, while a person chooses.

Light. It ends with the process that made it, unless it was given a run.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from .child_process import child_environment, detached, python_module


class ReadyProcess:
    """To be given one run, or to be closed. Raises OSError where no process can be started."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[Any] = subprocess.Popen(
            python_module("minigpt_tui.engine.training.ready_process"),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=child_environment(),
            **detached(),
        )

    @property
    def is_waiting(self) -> bool:
        """Whether it can still be given a run."""
        assert self._process.stdin is not None
        return not self._process.stdin.closed and self._process.poll() is None

    def take(self, arguments: list[str], folder: Path, log: Path) -> subprocess.Popen[Any] | None:
        """Let it go on as the train process with these arguments; None where it has ended meanwhile.

        It works in `folder`, and what it prints is appended to the file `log`.
        """
        assert self._process.stdin is not None
        if not self.is_waiting:
            return None
        request = json.dumps({"arguments": arguments, "folder": str(folder), "log": str(log)})
        try:
            with self._process.stdin as stdin:
                stdin.write(request.encode())
        except OSError:
            return None
        return self._process

    def close(self) -> None:
        """End it where it still waits."""
        assert self._process.stdin is not None
        if not self._process.stdin.closed:
            self._process.stdin.close()
            self._process.kill()  # it may be importing still
            self._process.wait()
