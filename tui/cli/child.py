"""The processes that a verb waits for: one that prints lines of JSON, or the generate process for one request."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

from ...engine.child_process import child_environment
from ...engine.client import GenerateProcess
from ...engine.paths import log_dir, state_dir
from ...engine.requests import Failed, GenerationMessage, Load, Request
from .exit_codes import DONE, FAILED, USAGE, complain

_PATIENCE = 2.0  # seconds for the last words of a process that has ended


def say_where_logs_go() -> None:
    """One sentence where the folder for logs cannot be written, and a temporary one takes its place."""
    if (folder := log_dir()) != state_dir():
        complain(f"{state_dir()} cannot be written, so this command's log lies in {folder}")


def run_to_end(
    command: list[str], doing: str, take: Callable[[dict[str, Any]], None] = lambda line: None
) -> tuple[int, dict[str, Any]]:
    """Run `command` to its end, and return its exit code and last line.

    Lines {"progress": 0.4, "doing": "reading"} move the line of progress, on a terminal; `take` receives all others.
    What it says on standard error goes to ours, through the same filter as our own words.
    Where this is interrupted (Ctrl-C, SIGTERM), the process is asked to end and waited for: it removes what it has half
    written.
    """
    from .console import progress  # only here: rich is slow to import, and a reply needs none of it

    say_where_logs_go()
    last: dict[str, Any] = {}
    with progress(doing) as update:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            encoding="utf-8", errors="replace", cwd=log_dir(), env=child_environment(),
            start_new_session=True,  # the terminal's Ctrl-C reaches this process alone
        )  # fmt: skip
        said = threading.Thread(target=_pass_on, args=(child.stderr or (),), daemon=True)
        try:
            said.start()
            for line in child.stdout or ():
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
        finally:
            if said.is_alive():
                said.join(_PATIENCE)


def _pass_on(lines: Iterable[str]) -> None:
    """Say what the process says, to its end: it would wait for a reader."""
    for line in lines:
        with contextlib.suppress(OSError):  # nobody reads ours
            sys.stderr.write(line)
            sys.stderr.flush()


def answer(load: Load, request: Request, take: Callable[[GenerationMessage], bool]) -> int:
    """Load a model and hand each message about `request` to `take`, until it returns True: that was the last one.

    Returns the exit code; why a request failed goes to standard error.
    """
    say_where_logs_go()
    return asyncio.run(_answer(load, request, take))


async def _answer(load: Load, request: Request, take: Callable[[GenerationMessage], bool]) -> int:
    messages: asyncio.Queue[GenerationMessage | str] = asyncio.Queue()
    process = GenerateProcess(messages.put_nowait, on_exit=lambda code, sentence: messages.put_nowait(sentence))
    await process.start()
    try:
        process.send(load)
        process.send(request)
        while True:
            match await messages.get():
                case str() as sentence:
                    return complain(f"{sentence}; see {log_dir() / 'generate.log'}", FAILED)
                case Failed(message=sentence, kind=kind):
                    return complain(sentence, USAGE if kind in ("checkpoint", "prompt") else FAILED)
                case message:
                    if take(message):
                        return DONE
    finally:
        await process.close()
