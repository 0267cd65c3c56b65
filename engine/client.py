"""The generate process as the app sees it: requests go in, messages come out. Light."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from . import paths
from .child_process import child_environment, python_module
from .requests import GENERATION_MESSAGES, REQUESTS, GenerationMessage, Request

_MAX_LINE = 4 * 2**20  # bytes
_MAX_LOG = 10**6  # bytes
_GRACE = 2.0  # seconds that the process has to end before it is ended by force


class GenerateProcess:
    """One generate process.

    `on_message` and `on_exit` are called in the event loop, in order. `on_exit(code, sentence)` tells of an end that
    close() did not ask for; starting another one is the caller's decision. `command` starts another program instead.
    """

    def __init__(
        self,
        on_message: Callable[[GenerationMessage], None],
        on_exit: Callable[[int, str], None] = lambda code, sentence: None,
        command: Sequence[str] = (),
    ) -> None:
        self._command = command or python_module("minigpt_tui.engine.generation.process")
        self.skipped_lines = 0  # lines that were no message
        self.exited: asyncio.Future[int] | None = None  # the return code, from start() on
        self._on_message, self._on_exit = on_message, on_exit
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._closing = False
        self._log_start = 0

    async def start(self) -> None:
        """Start the process; Hello comes within a few hundredths of a second, Ready after a second or two.

        Raises OSError where it cannot be started.
        """
        self.exited = asyncio.get_running_loop().create_future()
        with _open_log(_log_path()) as log:
            self._log_start = log.tell()
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=paths.log_dir(),
                env=child_environment(),
                limit=_MAX_LINE,
            )
        self._reader = asyncio.create_task(self._read(self._process, self.exited), name="generate process")

    @property
    def pid(self) -> int | None:
        """The process's number, None before start()."""
        return self._process.pid if self._process else None

    def send(self, request: Request) -> bool:
        """Queue a request, also before Ready. False where the process has ended and nothing will be answered."""
        pipe = self._process.stdin if self._process else None
        if pipe is None or pipe.is_closing() or self.exited is None or self.exited.done():
            return False
        pipe.write(REQUESTS.encode(request).encode("ascii"))
        return True

    async def close(self, grace: float = _GRACE) -> None:
        """End the process by closing its standard input; where that does not help, by force after `grace` seconds."""
        if self._process is None or self._reader is None:
            return
        self._closing = True
        if self._process.stdin:
            self._process.stdin.close()
        for end in (lambda: None, self._process.terminate, self._process.kill):
            with contextlib.suppress(ProcessLookupError):
                end()
            done, _ = await asyncio.wait((self._reader,), timeout=grace)
            if done:
                return

    async def _read(self, process: asyncio.subprocess.Process, exited: asyncio.Future[int]) -> None:
        assert process.stdout
        loop = asyncio.get_running_loop()
        while True:
            try:
                line = await process.stdout.readline()
                if not line:
                    break
                message = GENERATION_MESSAGES.decode(line)
            except ValueError:  # longer than any message, or none (SchemaError)
                self.skipped_lines += 1
                continue
            loop.call_soon(self._on_message, message)  # an error in there is reported, and reading goes on
        code = await process.wait()
        exited.set_result(code)
        if not self._closing:
            loop.call_soon(self._on_exit, code, self._exit_sentence(code))

    def _exit_sentence(self, code: int) -> str:
        how = f"with code {code}"
        if code < 0:
            with contextlib.suppress(ValueError):
                how = f"by {signal.Signals(-code).name}"
        if sys.platform != "win32" and code == -signal.SIGKILL:
            how += ", perhaps because memory ran out"
        last = _last_line(_log_path(), self._log_start)
        return f"the generate process ended {how}" + (f" ({last})" if last else "")


def _log_path() -> Path:
    return paths.log_dir() / "generate.log"


def _open_log(path: Path) -> IO[bytes]:
    """Open for appending; a log that grew too long is emptied first."""
    log = path.open("ab")
    if log.tell() > _MAX_LOG:
        log.truncate(0)
    log.seek(0, os.SEEK_END)
    return log


def _last_line(path: Path, start: int) -> str:
    """The last line that stands in the file after `start`, at most 300 characters."""
    try:
        with path.open("rb") as file:
            file.seek(max(start, path.stat().st_size - 4096))
            lines = file.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return ""
    return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "")
