"""Exports from the app: the headless command in a process of its own, and what it said."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from dataclasses import dataclass

from ..engine.child_process import child_environment, python_module


@dataclass(frozen=True)
class Exported:
    """How an export ended: the path that was written, or why nothing was."""

    done: bool
    sentence: str


async def export_gguf(model: str) -> Exported:
    """Write the model of that name or path as a GGUF file into the current folder."""
    process = await asyncio.create_subprocess_exec(
        *python_module("minigpt_tui.tui", "export", model, "--to", "gguf"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=child_environment(),
    )
    try:
        output, said = await process.communicate()
    except asyncio.CancelledError:  # the app ends
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        raise
    lines = [line.removeprefix("minigpt-tui: ") for line in said.decode("utf-8", "replace").splitlines() if line]
    if process.returncode == 0:
        return Exported(True, "\n".join([f"It lies in {output.decode('utf-8', 'replace').strip()}", *lines]))
    return Exported(False, lines[-1] if lines else f"the export ended with code {process.returncode} and no word")
