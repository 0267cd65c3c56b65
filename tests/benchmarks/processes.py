"""Processes of the engine and of these benchmarks, started so that each finds both packages."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from minigpt_tui.engine.child_process import child_environment, python_module

from .harness import TrialFailedError

_ABOVE = str(Path(__file__).resolve().parents[1])  # the folder from which this package is imported


def environment() -> dict[str, str]:
    """The environment of a process that imports this package, whatever folder it runs in."""
    inherited = child_environment()
    return {**inherited, "PYTHONPATH": os.pathsep.join(filter(None, (_ABOVE, inherited.get("PYTHONPATH"))))}


def output_of(
    module: str,
    *arguments: str,
    stdin: str = "",
    folder: Path | None = None,
    variables: Mapping[str, str] | None = None,
) -> str:
    """What `python -m module` prints. Raises TrialFailedError with the last line of its standard error if it fails."""
    done = subprocess.run(
        python_module(module, *arguments), input=stdin, capture_output=True, text=True, encoding="utf-8",
        errors="replace", cwd=folder, env={**environment(), **(variables or {})},
    )  # fmt: skip
    if done.returncode != 0:
        raise TrialFailedError(last_line(done.stderr, f"{module} ended with code {done.returncode}"))
    return done.stdout


def last_line(log: str, otherwise: str = "it gave no reason") -> str:
    """The last line of a log that says anything, cut to a length for a sentence."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return lines[-1][:300].removeprefix("minigpt-tui: ") if lines else otherwise
