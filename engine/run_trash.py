"""The trash folder: where runs go that are deleted, and from where they come back."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path

from . import paths
from .runs import Run, RunError


def trash_run(run: Run) -> Path:
    """Move a run to the trash folder and return where it is. Raises RunError while it trains."""
    if run.is_alive():
        raise RunError(f"'{run.name}' is training; stop it before you delete it")
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


def _name_before(path: Path) -> str:
    """The name of a run's folder before it was moved to the trash."""
    return re.sub(r"-\d{8}-\d{6}(-\d+)?$", "", path.name)
