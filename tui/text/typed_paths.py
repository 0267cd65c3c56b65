"""Whether what people type is a path, and its completion."""

from __future__ import annotations

import os
from pathlib import Path

from textual.suggester import Suggester

from ...data.typed_path import typed_path


def looks_like_path(text: str) -> bool:
    """Whether a person who typed this meant a path: it exists, or one line of it is written as only paths are."""
    text = text.strip()
    if not text or "\n" in text or len(text) > 4096:
        return False
    try:
        if typed_path(text).exists():
            return True
    except (OSError, ValueError, RuntimeError):
        return False
    begins = text.lstrip("'\"").lower().startswith(("/", "~", "./", "../", "file:/"))
    return begins or Path(text).suffix in (".txt", ".md", ".csv", ".json")


class PathSuggester(Suggester):
    """Completes the last part of a path from what lies in its folder; folders end in a separator.

    With `ending` only folders and the files whose names end so are offered.
    """

    def __init__(self, ending: str = "") -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._ending = ending

    async def get_suggestion(self, value: str) -> str | None:
        """`value` with the first fitting name of its folder, None where there is none."""
        return complete(value, self._ending)


def complete(value: str, ending: str = "") -> str | None:
    """`value` continued by the first name that begins as its last part does; hidden names only where asked for."""
    folder, begin = os.path.split(value)
    if not value or value.startswith(("'", '"')):
        return None
    try:
        with os.scandir(Path(folder or ".").expanduser()) as entries:
            fitting = sorted(
                (entry.name, entry.is_dir())
                for entry in entries
                if entry.name.startswith(begin)
                and (begin or not entry.name.startswith("."))
                and (entry.name.endswith(ending) or entry.is_dir())
            )
    except (OSError, ValueError, RuntimeError):
        return None
    if not fitting:
        return None
    name, is_folder = fitting[0]
    return value[: len(value) - len(begin)] + name + (os.sep if is_folder else "")
