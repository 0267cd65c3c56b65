"""Starts the train process and the generate process, and exchanges messages with the latter. Light."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from . import paths
from .requests import GENERATION_MESSAGES, REQUESTS, GenerationMessage, Request
from .runs import Run, RunError

_NUMPY_WARNING = "ignore:Failed to initialize NumPy:UserWarning"  # by torch; nothing here needs numpy
_MAX_LINE = 4 * 2**20  # bytes
_MAX_LOG = 10**6  # bytes
_GRACE = 2.0  # seconds that a process has to end before it is ended by force


# --- training -------------------------------------------------------------------------------------


def start_training(
    run: Run, *, resume: bool = False, leave_core: bool = False, budget: str = "", devices: int | None = None
) -> int:
    """Start the run's train process, detached: it outlives this one. Returns its pid.

    `leave_core` leaves one core to the app; `budget`, as Budget.parse reads it, takes the place of the run's. With
    several `devices`, or where the run says so, torchrun starts as many processes, and its pid is returned. Raises
    RunError where the run trains already or nothing can be started.
    """
    if run.is_alive():
        raise RunError(f"'{run.name}' is training already; stop it first, or watch it")
    folder = run.path.absolute()
    module, number = "minigpt_tui.engine.training.process", devices or _device_count(run)
    if number > 1:
        command = python_module(
            "torch.distributed.run", "--standalone", f"--nproc-per-node={number}", "-m", module, str(folder)
        )
    else:
        command = python_module(module, str(folder))
    command += ["--resume"] * resume + ["--leave-core"] * leave_core
    command += ["--budget", budget] if budget else []
    try:
        with run.log_path.open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                env=child_environment(),
                **_detached(),
            )
    except OSError as error:
        raise RunError(f"'{run.name}' cannot be started: {error}") from error
    # waited for, so that a trainer that ends before the app does not stay behind as a zombie
    threading.Thread(target=process.wait, name=f"wait for {process.pid}", daemon=True).start()
    return process.pid


def _device_count(run: Run) -> int:
    """On how many devices the run trains according to its run.json."""
    try:
        return run.manifest().training.devices
    except RunError:
        return 1  # the train process will say what is wrong with it


def python_module(module: str, *arguments: str) -> list[str]:
    """The command that runs `module` in this interpreter; modules of the current folder cannot take its place."""
    return [sys.executable, "-P", "-W", _NUMPY_WARNING, "-m", module, *arguments]


def child_environment() -> dict[str, str]:
    """The environment for a child process: this one's, with relative paths made absolute."""
    # the first two say to the processes that torchrun starts what `python_module` says to one
    environment = {"PYTHONSAFEPATH": "1", "PYTHONWARNINGS": _NUMPY_WARNING, **os.environ}
    if home := environment.get("MINIGPT_HOME"):
        environment["MINIGPT_HOME"] = str(Path(home).expanduser().absolute())
    if search := environment.get("PYTHONPATH"):
        environment["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, search.split(os.pathsep)))
    return environment


def _detached() -> dict[str, Any]:
    """Arguments of Popen that let a child outlive its parent and its terminal."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


# --- generation -----------------------------------------------------------------------------------


class GenerateProcess:
    """The generate process as seen by the app: requests in, messages out, its end reported.

    `on_message` and `on_exit` are called in the event loop, in order. `on_exit(code, sentence)` tells of an end that
    close() did not ask for; starting another one is the caller's decision.
    """

    def __init__(
        self,
        on_message: Callable[[GenerationMessage], None],
        on_exit: Callable[[int, str], None] = lambda code, sentence: None,
    ) -> None:
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
                *python_module("minigpt_tui.engine.generation.process"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=paths.state_dir(),
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

    async def close(self) -> None:
        """End the process: by closing its standard input, and by force where that does not help."""
        if self._process is None or self._reader is None:
            return
        self._closing = True
        if self._process.stdin:
            self._process.stdin.close()
        for end in (lambda: None, self._process.terminate, self._process.kill):
            with contextlib.suppress(ProcessLookupError):
                end()
            done, _ = await asyncio.wait((self._reader,), timeout=_GRACE)
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
    return paths.state_dir() / "generate.log"


def _open_log(path: Path) -> IO[bytes]:
    """Open for appending; a log that grew too long is emptied first."""
    path.parent.mkdir(parents=True, exist_ok=True)
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
