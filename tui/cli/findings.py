"""What the verb doctor looks at in this process: versions, the machine, folders, the terminal."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...data.storage.errors import EXPECTED, sentence_of
from ...data.storage.printable import printable
from ...engine import paths
from ...models.cpu import cpu_name, physical_cores, total_memory
from ..settings import load_settings
from ..text import formatting

_NEEDED = ("torch", "textual", "rich", "tiktoken", "tokenizers", "safetensors", "platformdirs", "shtab")
_OPTIONAL = {"gguf": "to write files for llama.cpp"}
_LITTLE, _NOTHING = 10**9, 10**7  # bytes of a disk: some checkpoints; not even one


@dataclass(frozen=True)
class Finding:
    """One line of the report. What would go wrong is an error; what is less than it could be a warning."""

    section: str
    name: str
    value: str
    severity: Literal["fine", "warning", "error"] = "fine"
    problem: str = ""
    remedy: str = ""

    def __post_init__(self) -> None:
        for name in ("value", "problem", "remedy"):
            text = without_home(getattr(self, name))
            object.__setattr__(self, name, printable(text, longest=300))


def without_home(text: str) -> str:
    """`text` with ~ for the home folder, whose name is a person's."""
    try:
        home = str(Path.home())
    except RuntimeError:
        return text
    return text.replace(home, "~") if len(home) > 1 else text


def programs() -> Iterator[Finding]:
    """Python, and the packages with their versions; none is imported."""
    yield Finding("versions", "python", f"{platform.python_version()} ({platform.python_implementation()})")
    yield Finding("versions", "minigpt-tui", _version("minigpt-tui") or "run from a checkout")
    for package in _NEEDED:
        version = _version(package)
        if version:
            yield Finding("versions", package, version)
        else:
            yield Finding("versions", package, "", "error", "it is not installed", f"pip install {package}")
    for package, purpose in _OPTIONAL.items():
        missing = f"not installed; {purpose}: pip install 'minigpt-tui[{package}]'"
        yield Finding("versions", package, _version(package) or missing)


def system() -> Iterator[Finding]:
    """The machine: its system, CPU and memory."""
    yield Finding("system", "system", platform.platform())
    yield Finding("system", "cpu", cpu_name())
    yield Finding("system", "cores", f"{physical_cores()} of {os.cpu_count() or 1} threads")
    yield Finding("system", "memory", formatting.memory(total_memory()))


def folders() -> Iterator[Finding]:
    """The folders of the program, whether they can be written, and the settings, whether they can be read."""
    for name, folder in (
        ("runs", paths.runs_dir()), ("cache", paths.cache_dir()), ("settings", paths.config_dir()),
        ("logs", paths.state_dir()),
    ):  # fmt: skip
        yield _folder(name, folder)
    try:
        _, problems = load_settings()
    except EXPECTED as error:
        problems = (sentence_of(error),)
    for problem in problems:
        yield Finding("folders", "settings.toml", "", "warning", problem, "correct that line, or delete the file")


def terminal() -> Iterator[Finding]:
    """What the app would be drawn on."""
    from ..screens.sizes import SMALLEST  # only here: it imports Textual

    if not (sys.stdout is not None and sys.stdout.isatty()):
        yield Finding("terminal", "terminal", "none: standard output is a file or a pipe")
    else:
        columns, rows = shutil.get_terminal_size()
        size = f"{columns} x {rows}"
        if columns < SMALLEST.width or rows < SMALLEST.height:
            yield Finding(
                "terminal", "size", size, "error", "the app has no room in it",
                f"make the window at least {SMALLEST.width} x {SMALLEST.height}",
            )  # fmt: skip
        else:
            yield Finding("terminal", "size", size)
    kind = os.environ.get("TERM", "")
    if kind in ("dumb", "unknown"):
        yield Finding("terminal", "TERM", kind, "error", "nothing can be drawn on it", "set TERM=xterm-256color")
    else:
        yield Finding("terminal", "TERM", kind or "not set")
    yield _colours()
    yield _encoding()
    within = [name for name, variable in (("tmux", "TMUX"), ("screen", "STY"), ("ssh", "SSH_CONNECTION"))
              if os.environ.get(variable)]  # fmt: skip
    yield Finding("terminal", "within", ", ".join(within) or "nothing else")


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _folder(name: str, folder: Path) -> Finding:
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        where = str(there) if there != folder else "it"
        return Finding(
            "folders", name, str(folder), "error", f"{where} cannot be written",
            "check its permissions, or set MINIGPT_HOME to a folder of yours",
        )  # fmt: skip
    free = shutil.disk_usage(there).free
    value = f"{folder} ({'' if there == folder else 'not made yet, '}{formatting.memory(free)} free)"
    if free < _LITTLE:
        severity = "error" if free < _NOTHING else "warning"
        return Finding("folders", name, value, severity, "the disk is nearly full", "free some space")
    return Finding("folders", name, value)


def _colours() -> Finding:
    from rich.console import Console

    depth = Console(force_terminal=True).color_system
    names = {"truecolor": "16 million", "256": "256", "standard": "16", "windows": "16"}
    if os.environ.get("NO_COLOR"):
        return Finding("terminal", "colours", "none, because NO_COLOR is set")
    return Finding("terminal", "colours", names.get(depth or "", "none"))


def _encoding() -> Finding:
    encoding = (sys.stdout.encoding if sys.stdout is not None else None) or "unknown"
    if "utf" in encoding.lower():
        return Finding("terminal", "encoding", encoding)
    return Finding(
        "terminal", "encoding", encoding, "warning", "most characters of a text are shown as ?",
        "set PYTHONUTF8=1, or LANG to a locale with UTF-8",
    )  # fmt: skip
