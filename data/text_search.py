"""Texts to learn from, found while their name is typed: in the catalogue, among earlier ones and among files."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .catalog import CATALOG

_SUFFIXES = (".txt", ".text", ".md", ".rst", ".org", ".tex", ".log", ".csv", ".tsv", ".json", ".jsonl", ".html", ".srt")
_MOST_ENTRIES = 5000  # of folders that a search looks at
_MOST_SECONDS = 0.3  # that it may take
_MOST_DEPTH = 3  # folders below the current one


@dataclass(frozen=True)
class FoundText:
    """A text that may be meant; `name` is what a person would write to have it."""

    name: str
    about: str = ""
    is_folder: bool = False


def find_texts(typed: str, earlier: Iterable[str] = (), most: int = 20) -> list[FoundText]:
    """The texts that `typed` may mean, the likeliest first; `earlier` are specs that were learned from before.

    A path is looked for in its own folder, words in the catalogue and among the text files below the current folder.
    Bounded in time, however many files there are.
    """
    typed = typed.strip().strip("'\"")
    if os.sep in typed or typed.startswith("~"):
        return _in_folder(typed, most)
    words = typed.casefold().split()
    found = [
        FoundText(entry.name, entry.description)
        for entry in CATALOG.values()
        if _has_all(words, f"{entry.name} {entry.description}")
    ]
    found.sort(key=lambda text: not text.name.startswith(typed))
    before = (spec for spec in dict.fromkeys(earlier) if spec not in CATALOG)
    found += [FoundText(spec, "learned from before") for spec in before if _has_all(words, Path(spec).name)]
    known = {os.path.abspath(text.name) for text in found}
    if words:
        for path in _text_files(Path()):
            if len(found) >= most:
                break
            if _has_all(words, path.name) and os.path.abspath(path) not in known:
                found.append(FoundText(f".{os.sep}{path}", _size(path)))
    return found[:most]


def _has_all(words: Iterable[str], text: str) -> bool:
    folded = text.casefold()
    return all(word in folded for word in words)


def _in_folder(typed: str, most: int) -> list[FoundText]:
    """What of the folder of a typed path has the last part in its name; those first that begin with it."""
    folder, part = os.path.split(typed)
    wanted = part.casefold()
    found: list[tuple[bool, bool, str, FoundText]] = []
    for number, entry in enumerate(_scan(Path(os.path.expanduser(folder)))):
        if number == _MOST_ENTRIES:
            break
        if wanted in entry.name.casefold() and (part.startswith(".") or not entry.name.startswith(".")):
            is_folder = _is_folder(entry)
            name = os.path.join(folder, entry.name) + (os.sep if is_folder else "")
            text = FoundText(name, "folder" if is_folder else _size(Path(entry.path)), is_folder)
            found.append((not entry.name.casefold().startswith(wanted), not is_folder, entry.name, text))
    return [text for *_, text in sorted(found, key=lambda item: item[:3])][:most]


def _text_files(folder: Path) -> Iterator[Path]:
    """Files below `folder` whose names say that they are text, those of nearer folders first."""
    until, seen, level = time.monotonic() + _MOST_SECONDS, 0, [folder]
    for _ in range(_MOST_DEPTH + 1):
        below: list[Path] = []
        for each in level:
            for entry in _scan(each):
                seen += 1
                if seen > _MOST_ENTRIES or time.monotonic() > until:
                    return
                if entry.name.startswith("."):
                    continue
                if _is_folder(entry):
                    below.append(each / entry.name)
                elif entry.name.casefold().endswith(_SUFFIXES):
                    yield each / entry.name
        level = below


def _scan(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except (OSError, ValueError, RuntimeError):
        return


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _size(path: Path) -> str:
    try:
        n_bytes = path.stat().st_size
    except OSError:
        return ""
    return f"{n_bytes / 1e6:,.1f} MB" if n_bytes >= 1e5 else f"{n_bytes / 1e3:,.1f} kB"
