"""The verb doctor: what there is, what would go wrong, and how to mend it; fit to be pasted into a bug report."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement

from ...data.storage.errors import EXPECTED, UserError, sentence_of
from ...data.storage.printable import printable
from ...data.storage.typed_json import SchemaError, dumps, loads
from ...engine import paths
from ...engine.child_process import child_environment, python_module
from ...engine.locks import check_locks
from ...engine.results import DeviceReport
from ...models.cpu import cpu_name, physical_cores, total_memory
from ...models.native import library as native
from ..settings import load_settings
from ..text import formatting
from .exit_codes import DONE, FAILED

_TORCH_SECONDS = 120.0  # that a process may take to import torch
_EXTRAS = {"gguf": "to write files for llama.cpp"}
_LOW_DISK, _FULL_DISK = 10**9, 10**7  # bytes that are free: some checkpoints; not even one


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Say what there is here (versions, device, folders, terminal), what would go wrong, and how to mend it. "
        "Nothing is written and nothing is downloaded; the home folder is shown as ~."
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Print all findings, and the problems once more at the end; FAILED where one of them is an error."""
    findings = [*programs(), *system(), *device(), *folders(), *terminal()]
    failed = any(finding.severity == "error" for finding in findings)
    if arguments.json:
        print(dumps({"fine": not failed, "findings": findings}, indent=2))
    else:
        _print(findings)
    return FAILED if failed else DONE


def _print(findings: list[Finding]) -> None:
    section, width = "", max(len(finding.name) for finding in findings)
    for finding in findings:
        if finding.section != section:
            section = finding.section
            print(section)
        print(f"  {finding.name:<{width}}  {finding.value or finding.problem}")
    print()
    problems = [finding for finding in findings if finding.problem]
    for finding in problems:
        print(f"{finding.severity}: {finding.section}, {finding.name}: {finding.problem}; {finding.remedy}")
    if not problems:
        print("everything is fine")


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


# --- versions and the machine ---------------------------------------------------------------------


def programs() -> Iterator[Finding]:
    """Python, and the packages that this one requires, with their versions; none is imported."""
    yield Finding("versions", "python", f"{platform.python_version()} ({platform.python_implementation()})")
    yield Finding("versions", "minigpt-tui", importlib.metadata.version("minigpt-tui"))
    for requirement in map(Requirement, importlib.metadata.requires("minigpt-tui") or ()):
        extra = next((extra for extra in _EXTRAS if _is_needed(requirement, extra)), "")
        if extra or _is_needed(requirement):
            yield _package(requirement, extra)


def _is_needed(requirement: Requirement, extra: str = "") -> bool:
    """Whether this system needs it: at all, or, with `extra`, for that extra alone."""
    marker = requirement.marker
    always = marker is None or marker.evaluate({"extra": ""})
    return always if not extra else not always and marker is not None and marker.evaluate({"extra": extra})


def _package(requirement: Requirement, extra: str) -> Finding:
    name, wanted = requirement.name, requirement.specifier
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        if extra:
            missing = f"not installed; {_EXTRAS[extra]}: pip install 'minigpt-tui[{extra}]'"
            return Finding("versions", name, missing)
        return Finding("versions", name, "", "error", "it is not installed", f"pip install '{name}{wanted}'")
    if wanted.contains(version, prereleases=True):
        return Finding("versions", name, version)
    problem = f"{version} is installed, and {wanted} is needed"
    return Finding("versions", name, version, "error", problem, f"pip install --upgrade '{name}{wanted}'")


def system() -> Iterator[Finding]:
    """The machine: its system, CPU and memory."""
    yield Finding("system", "system", platform.platform())
    yield Finding("system", "cpu", cpu_name())
    yield Finding("system", "cores", f"{physical_cores()} of {os.cpu_count() or 1} threads")
    yield Finding("system", "memory", formatting.memory(total_memory()))
    yield _decoding()


def _decoding() -> Finding:
    """What computes a token on the CPU."""
    if kind := native.kind():
        return Finding("system", "decoding", f"compiled, for {kind}")
    return Finding("system", "decoding", f"by torch, which takes several times as long: {native.absence()}")


def device() -> Iterator[Finding]:
    """What torch would compute on, asked in a process of its own: torch takes a second or more to import."""
    command = python_module("minigpt_tui.engine.training.device_process")
    try:
        asked = subprocess.run(
            command, capture_output=True, text=True, encoding="utf-8", errors="replace", timeout=_TORCH_SECONDS,
            env=child_environment(),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        yield Finding(
            "device", "torch", "", "error", f"it could not be imported within {_TORCH_SECONDS:.0f} seconds",
            "look whether the disk or the memory is full, and reinstall torch",
        )  # fmt: skip
        return
    try:
        report = loads(DeviceReport, asked.stdout)
    except SchemaError:
        lines = asked.stderr.strip().splitlines() or [f"the process ended with code {asked.returncode}"]
        yield Finding(
            "device", "torch", "", "error", f"it cannot be used: {lines[-1]}",
            "install torch as https://pytorch.org says for this system",
        )  # fmt: skip
        return
    yield Finding("device", "device", f"{report.device} ({report.device_name})")
    yield Finding("device", "all", ", ".join(report.devices))
    yield Finding("device", "training", report.training_dtype)
    yield Finding("device", "generation", report.generation_dtype)
    yield Finding("device", "threads", f"up to {report.threads}")
    yield Finding("device", "why", report.reason)


# --- folders --------------------------------------------------------------------------------------


def folders() -> Iterator[Finding]:
    """The folders of the program, whether they can be written, and the settings, whether they can be read."""
    for name, folder in (
        ("runs", paths.runs_dir()), ("cache", paths.cache_dir()), ("settings", paths.config_dir()),
        ("logs", paths.state_dir()),
    ):  # fmt: skip
        yield _folder(name, folder)
    try:
        check_locks(paths.runs_dir())
    except UserError as error:
        what, _, remedy = str(error).rpartition("; ")
        yield Finding("folders", "locks", "", "error", what, remedy)
    except OSError:  # not made yet, or not to be written, which is said above
        pass
    try:
        _, problems = load_settings()
    except EXPECTED as error:
        problems = (sentence_of(error),)
    for problem in problems:
        yield Finding("folders", "settings.toml", "", "warning", problem, "correct that line, or delete the file")


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
    if free < _LOW_DISK:
        severity = "error" if free < _FULL_DISK else "warning"
        return Finding("folders", name, value, severity, "the disk is nearly full", "free some space")
    return Finding("folders", name, value)


# --- the terminal ---------------------------------------------------------------------------------


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


def _colours() -> Finding:
    from rich.console import Console

    from ..colour_depth import depth_of

    if os.environ.get("NO_COLOR"):
        return Finding("terminal", "colours", "none, because NO_COLOR is set")
    depth = depth_of(Console(force_terminal=True).color_system, os.environ)
    return Finding("terminal", "colours", {"truecolor": "16 million"}.get(depth, depth))


def _encoding() -> Finding:
    encoding = (sys.stdout.encoding if sys.stdout is not None else None) or "unknown"
    if "utf" in encoding.lower():
        return Finding("terminal", "encoding", encoding)
    return Finding(
        "terminal", "encoding", encoding, "warning",
        "the app is drawn in ASCII, and most characters of a text are shown as ?",
        "set PYTHONUTF8=1, or LANG to a locale with UTF-8",
    )  # fmt: skip
