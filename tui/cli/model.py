"""Which model a verb is about, and the generate process that answers one request about it."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable
from pathlib import Path

from ...engine.client import GenerateProcess
from ...engine.model_files import find_model
from ...engine.paths import state_dir
from ...engine.requests import Failed, GenerationMessage, Load, Request
from ...engine.runs import find_run
from .exit_codes import DONE, FAILED, USAGE, complain


def path_of_model(name: str | None) -> Path:
    """Where the model of that name lies; the newest run's where there is none.

    For a run that is the run's folder: its training may replace the checkpoint before it is loaded.
    """
    if name is None:
        return find_run().path
    file = find_model(name)
    named = file.run is not None and file.path == file.run.current_checkpoint()
    return file.run.path if file.run is not None and named else file.path


def model_to_load(path: Path, arguments: argparse.Namespace) -> Load:
    """The request to load it as the device options say. Raises ValueError for a number of threads that cannot be."""
    if arguments.threads < 0:
        raise ValueError(f"threads must be at least 0, which chooses by what is there, not {arguments.threads}")
    return Load(1, str(path), False, arguments.device, arguments.dtype, arguments.threads, arguments.quantize)


def answer(load: Load, request: Request, take: Callable[[GenerationMessage], bool]) -> int:
    """Load a model and hand each message about `request` to `take`, until it returns True: that was the last one.

    Returns the exit code; a request that fails is said on standard error.
    """
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
                    return complain(f"{sentence}; see {state_dir() / 'generate.log'}", FAILED)
                case Failed(message=sentence, kind=kind):
                    return complain(sentence, USAGE if kind in ("checkpoint", "prompt") else FAILED)
                case message:
                    if take(message):
                        return DONE
    finally:
        await process.close()
