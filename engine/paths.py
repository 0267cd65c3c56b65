"""The folders of the user's runs, caches, settings and logs."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from ..data.storage.locations import folder


def data_dir() -> Path:
    """What the user made: runs, inputs, trash."""
    return folder("data")


def runs_dir() -> Path:
    """One folder per run."""
    return data_dir() / "runs"


def trash_dir() -> Path:
    """Where deleted runs wait."""
    return data_dir() / "trash"


def inputs_dir() -> Path:
    """Texts that came through standard input, kept so that their runs can be done again."""
    return data_dir() / "inputs"


def cache_dir() -> Path:
    """What can be made again: downloads, encoded text."""
    return folder("cache")


def config_dir() -> Path:
    """The user's settings."""
    return folder("config")


def log_dir() -> Path:
    """`state_dir`, made where it is missing; where that cannot be, a temporary folder that stays for its logs."""
    home = state_dir()
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home):
            return home
    except OSError:
        return _temporary_folder()


@functools.cache
def _temporary_folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="minigpt-tui-"))


def state_dir() -> Path:
    """Logs of the app and of the generate process; also the folder in which children start."""
    return folder("state")
