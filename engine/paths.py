"""Where things lie on disk. MINIGPT_HOME puts all of them below one folder."""

from __future__ import annotations

import os
from pathlib import Path


def _folder(kind: str) -> Path:
    home = os.environ.get("MINIGPT_HOME")
    if home:
        return Path(home).expanduser().absolute() / kind
    import platformdirs  # only here: with MINIGPT_HOME set the engine runs where this package is absent

    return Path(getattr(platformdirs, f"user_{kind}_dir")("minigpt-tui", appauthor=False))


def data_dir() -> Path:
    """What the user made: runs, inputs, trash."""
    return _folder("data")


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
    return _folder("cache")


def config_dir() -> Path:
    """The user's settings."""
    return _folder("config")


def state_dir() -> Path:
    """Logs of the app and of the generate process; also the folder in which children start."""
    return _folder("state")
