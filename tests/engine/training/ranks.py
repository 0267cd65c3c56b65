"""Starts the processes that train a run together, without the seconds that each takes to import torch."""

from __future__ import annotations

import multiprocessing
import os
import socket
import sys
from collections.abc import Callable
from multiprocessing.process import BaseProcess

from minigpt_tui.engine.runs import Run
from minigpt_tui.engine.training import process

PATIENCE = 240  # seconds that a slow machine may take for what takes ten


def train_here(
    rank: int, processes: int, port: int, run: Run, options: tuple[str, ...], prepare: Callable[[], None] | None
) -> None:
    """Train as one of several processes; what it prints comes into a file of the run."""
    os.environ |= {
        "RANK": str(rank), "LOCAL_RANK": str(rank), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
        "WORLD_SIZE": str(processes), "LOCAL_WORLD_SIZE": str(processes),
    }  # fmt: skip
    with (run.path / f"printed-{rank}.txt").open("a") as printed:
        for stream in (1, 2):
            os.dup2(printed.fileno(), stream)
    os.nice = lambda increment: 0  # ranks wait for each other, and other tests run beside them
    if prepare:
        prepare()
    code = process.main([str(run.path), *options])
    sys.stdout.flush()
    os._exit(code)


def launched(
    run: Run, *options: str, processes: int = 2, prepare: Callable[[], None] | None = None
) -> list[BaseProcess]:
    """The processes of a run, where possible each forked from one that has imported what takes seconds to import."""
    if sys.platform == "win32":
        start_method = multiprocessing.get_context("spawn")
    else:
        start_method = multiprocessing.get_context("forkserver")
        start_method.set_forkserver_preload(["minigpt_tui.engine.training.sharded.learner", "torch._dynamo"])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    children: list[BaseProcess] = []
    for rank in range(processes):
        children.append(start_method.Process(target=train_here, args=(rank, processes, port, run, options, prepare)))
        children[-1].start()
    return children


def outcome(run: Run, children: list[BaseProcess]) -> tuple[list[int | None], str]:
    """How the processes end, and what they have printed."""
    try:
        for child in children:
            child.join(PATIENCE)
    finally:
        for child in children:
            child.kill()
    printed = "".join(file.read_text() for file in sorted(run.path.glob("printed-*.txt")))
    return [child.exitcode for child in children], printed


def train_together(run: Run, *options: str, processes: int = 2, prepare: Callable[[], None] | None = None) -> str:
    """What they print."""
    codes, printed = outcome(run, launched(run, *options, processes=processes, prepare=prepare))
    assert codes == [0] * processes, printed
    return printed
