"""How a process of ours is started: by which command, and in which environment. Light."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

_NUMPY_WARNING = "ignore:Failed to initialize NumPy:UserWarning"  # by torch; nothing here needs numpy


def python_module(module: str, *arguments: str) -> list[str]:
    """The command that runs `module` in this interpreter; modules of the current folder cannot take its place."""
    return [sys.executable, "-P", "-W", _NUMPY_WARNING, "-m", module, *arguments]


def child_environment() -> dict[str, str]:
    """The environment for a child process: this one's, with relative paths made absolute, and UTF-8 in its pipes."""
    # the first two say to the processes that torchrun starts what `python_module` says to one
    environment = {"PYTHONSAFEPATH": "1", "PYTHONWARNINGS": _NUMPY_WARNING, **os.environ}
    environment["PYTHONIOENCODING"] = "utf-8"  # as whoever reads its lines expects
    if home := environment.get("MINIGPT_HOME"):
        environment["MINIGPT_HOME"] = str(Path(home).expanduser().absolute())
    if search := environment.get("PYTHONPATH"):
        environment["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, search.split(os.pathsep)))
    return environment


def detached() -> dict[str, Any]:
    """Arguments of Popen that let a child outlive its parent and its terminal."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}
