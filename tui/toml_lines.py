"""On which line of a TOML file each of its values stands, which no TOML library says."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

Path = tuple[str, ...]  # of the keys that lead to a value
_MOST_TRIES = 200  # at the end of one value of many lines

_CLOSING = ("]", "}", '"""', "'''")


def lines_of(text: str) -> dict[Path, int]:
    """The line, counted from 1, on which each key of a TOML text begins; of each table its header's.

    The text is known to be TOML. What stands behind a value of very many lines may be missing.
    """
    lines, table = dict[Path, int](), Path()
    for number, statement in _statements(text):
        parsed = tomllib.loads(statement)
        if statement.lstrip().startswith("["):
            table = _header(parsed)
            lines.setdefault(table, number)
        else:
            for path in _paths(parsed):
                lines.setdefault(table + path, number)
    return lines


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """The lines that belong together, each with its number: a header, or a key and all of its value."""
    begun, first, tries = "", 0, 0
    for number, line in enumerate(text.split("\n"), 1):
        if not begun:
            first, tries = number, 0
        elif not any(sign in line for sign in _CLOSING):
            begun += line + "\n"
            continue
        begun, tries = begun + line + "\n", tries + 1
        try:
            if tomllib.loads(begun):
                yield first, begun
            begun = ""
        except tomllib.TOMLDecodeError:
            if tries == _MOST_TRIES:
                return


def _header(parsed: dict[str, Any]) -> Path:
    """The path of a table, or of one of several, that stands there alone."""
    path, inner = Path(), parsed
    while isinstance(inner, dict) and inner:
        ((name, inner),) = inner.items()
        path = (*path, name)
        inner = inner[0] if isinstance(inner, list) else inner
    return path


def _paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Those of all keys in a table, outer ones first."""
    if path:
        yield path
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _paths(inner, (*path, name))
