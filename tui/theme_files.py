"""Themes of one's own: each file themes/NAME.toml in the configuration folder is a theme called NAME.

A file names those colours in which its theme differs from one of ours, by the words of `Palette`:

    based_on = "minigpt-light"   # minigpt-dark, where nothing is said
    background = "#ffffff"
    primary = "#8a2be2"

What cannot be used is named with its line, and the colour of the theme it is based on stays.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from textual.theme import Theme

from ..data.storage.errors import sentence_of
from ..data.storage.plain_files import read_plain
from ..data.storage.printable import visible
from ..engine import paths
from .themes import DARK, PALETTES, Palette
from .toml_lines import lines_of

MOST_FILES = 100
MOST_BYTES = 65_536
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")
_COLOURS = {field.name for field in fields(Palette)} - {"dark"}


def themes_folder() -> Path:
    """Where the files of themes lie."""
    return paths.config_dir() / "themes"


def load_theme_files() -> tuple[list[Theme], list[str]]:
    """The themes of the folder, and one sentence for each thing in their files that could not be used."""
    try:
        found = sorted(path for path in themes_folder().iterdir() if path.suffix == ".toml")
    except FileNotFoundError:
        return [], []
    except OSError as error:
        return [], [f"{sentence_of(error)}; there are no themes from files"]
    themes, problems = list[Theme](), list[str]()
    for path in found[:MOST_FILES]:
        theme, said = read_theme(path)
        themes += [theme] if theme else []
        problems += said
    if len(found) > MOST_FILES:
        problems.append(f"{themes_folder()} has more than {MOST_FILES} themes; the others are ignored")
    return themes, [visible(problem) for problem in problems]


def read_theme(path: Path) -> tuple[Theme | None, list[str]]:
    """The theme of a file, None where it is none, and a sentence for each thing that could not be used."""
    name = path.stem
    if not _NAME.fullmatch(name):
        return None, [f"{path} cannot name a theme: letters, digits, - and _ can; it is ignored"]
    if name in PALETTES:
        return None, [f"{path}: {name} is a theme of the app; another name is needed, and the file is ignored"]
    try:
        content = read_plain(path)
        if len(content) > MOST_BYTES:
            return None, [f"{path} is too large for a theme; it is ignored"]
        text = content.decode("utf-8-sig")
        table = tomllib.loads(text)
    except OSError as error:
        return None, [f"{sentence_of(error)}; the theme is ignored"]
    except (ValueError, RecursionError) as error:
        return None, [f"{path} is no TOML ({error}); the theme is ignored"]
    base, changes, problems = DARK.name, dict[str, Any](), list[str]()
    for key, value, problem in _checked(table):
        if problem:
            line = lines_of(text).get((key,))
            problems.append(f"{path}:{line}: {problem}" if line else f"{path}: {problem}")
        elif key == "based_on":
            base = value
        else:
            changes[key] = value
    if "based_on" not in table and changes.get("dark") is False:
        base = "minigpt-light"
    unknown = [f"'{key}'" for key in table if key not in _COLOURS and key not in ("dark", "based_on")]
    if unknown:
        problems.append(f"{path}: a theme has no {', '.join(unknown[:5])}; that is ignored")
    return replace(PALETTES[base], **changes).theme(name), problems


def _checked(table: dict[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """Each known key with its value, and what is wrong with that."""
    for key, value in table.items():
        if key in _COLOURS:
            good = isinstance(value, str) and _COLOUR.fullmatch(value)
            yield key, value, "" if good else f"'{key}' must be a colour like \"#5fb8a5\"; that of the base stays"
        elif key == "dark":
            yield key, value, "" if isinstance(value, bool) else "'dark' must be true or false; it is ignored"
        elif key == "based_on":
            good = isinstance(value, str) and value in PALETTES
            known = ", ".join(PALETTES)
            yield key, value, "" if good else f"'based_on' must be one of {known}; {DARK.name} is taken"
