"""The platform's folders for data, cache, settings and state; with MINIGPT_HOME all of them are below that one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal


def folder(kind: Literal["data", "cache", "config", "state"]) -> Path:
    """The absolute path of this user's folder of that kind; it need not exist."""
    if home := os.environ.get("MINIGPT_HOME"):
        return Path(home).expanduser().absolute() / kind
    import platformdirs  # only here: with MINIGPT_HOME set the engine works where this package is absent

    return Path(getattr(platformdirs, f"user_{kind}_dir")("minigpt-tui", appauthor=False))
