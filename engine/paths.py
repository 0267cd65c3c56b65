"""The folders of the user's runs, caches, settings and logs."""

from __future__ import annotations

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


def state_dir() -> Path:
    """Logs of the app and of the generate process; also the folder in which children start."""
    return folder("state")
