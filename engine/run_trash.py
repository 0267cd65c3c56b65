"""The trash folder: where runs go that are deleted, and from where they come back."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from . import paths
from .run_about import about
from .runs import Run, RunError


def trash_run(run: Run) -> Path:
    """Move a run to the trash folder and return where it is. Raises RunError while it trains."""
    if run.is_alive():
        raise RunError(f"'{run.name}' is training; stop it before you delete it")
    if not (_can_write(run.path) and _can_write(run.path.parent)):  # else a part of it might stay behind
        raise RunError(f"'{run.name}' can only be watched from here: {run.path} cannot be written to; delete it there")
    target = paths.trash_dir() / f"{run.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    number = 1
    while target.exists():
        number += 1
        target = target.with_name(f"{target.name}-{number}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(run.path, target)
    except OSError as error:
        raise RunError(f"'{run.name}' cannot be moved to {target}: {error}") from error
    return target


def _can_write(folder: Path) -> bool:
    return os.access(folder, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


@dataclass(frozen=True)
class TrashedRun:
    """A run in the trash."""

    folder: Path
    name: str  # that a person gave it, else that of its folder before
    since: float | None  # a Unix time


def trashed_runs() -> list[TrashedRun]:
    """All runs in the trash, those that came there last first."""
    found = [
        TrashedRun(path, about(Run(path)).name or _name_before(path), _since(path))
        for path in paths.trash_dir().glob("*")
        if (path / "run.json").is_file()
    ]
    return sorted(found, key=lambda run: (run.since or 0.0, run.folder.name), reverse=True)


def restore_run(name: str) -> Run:
    """Bring the run back that was moved to the trash last under this name, or from this folder there.

    Raises RunError where there is none, or another run has taken its name.
    """
    folders = sorted((path for path in paths.trash_dir().glob("*") if (path / "run.json").is_file()), reverse=True)
    found = [path for path in folders if name in (path.name, _name_before(path))]
    if not found:
        known = ", ".join(path.name for path in folders[:8]) or "none"
        raise RunError(f"there is no run called '{name}' in the trash; there are: {known}")
    target = paths.runs_dir() / _name_before(found[0])
    if target.exists():
        raise RunError(f"there is a run called '{target.name}' again; rename the folder {found[0]} and restore that")
    try:
        shutil.move(found[0], target)
    except OSError as error:
        raise RunError(f"{found[0]} cannot be moved to {target}: {error}") from error
    return Run(target)


_MOVED = re.compile(r"-(\d{8}-\d{6})(-\d+)*$")  # what the trash adds to the name of a folder


def _name_before(path: Path) -> str:
    """The name of a run's folder before it was moved to the trash."""
    return _MOVED.sub("", path.name)


def _since(path: Path) -> float | None:
    """When a folder was moved to the trash, by its name; None where somebody else has put it there."""
    moved = _MOVED.search(path.name)
    with contextlib.suppress(ValueError, OverflowError):
        return time.mktime(time.strptime(moved[1], "%Y%m%d-%H%M%S")) if moved else None
    return None
