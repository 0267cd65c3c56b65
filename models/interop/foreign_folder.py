"""Checks of the files in a foreign model's folder: regular files inside it, of a sane size, weights complete. Light.

A safetensors file is the length of its header in eight bytes, the header in JSON, and the bytes of the tensors:
https://github.com/huggingface/safetensors#format.
"""

from __future__ import annotations

import json
import os
from pathlib import Path, PureWindowsPath
from typing import Any

from ...data.storage.plain_files import open_plain, read_plain
from ..config import ConfigError

WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"
MAX_JSON_SIZE = 1 << 24  # bytes; a configuration has some thousand, an index of shards at most a few million
_MAX_HEADER_SIZE = 100_000_000  # bytes of a safetensors header, the limit of the format


def file_within(folder: Path, name: str) -> Path:
    """The regular file `name` of a folder. Raises ConfigError in one sentence.

    Neither a name nor a symbolic link may lead out of the folder, except in Hugging Face's own cache, where a snapshot
    consists of links to the blobs beside it.
    """
    if name in ("", ".", "..") or PureWindowsPath(name).name != name or not name.isprintable():
        raise ConfigError(f"{folder} names {name[:80]!r} as one of its files, which leads elsewhere; use another model")
    path, home = folder / name, folder.resolve()
    blobs = home.parent.parent / "blobs" if home.parent.name == "snapshots" else home
    try:
        target = path.resolve()
        inside = target.is_relative_to(home) or target.parent == blobs
        is_file = target.is_file()
    except (OSError, RuntimeError) as error:  # a circle of links is a RuntimeError before Python 3.13
        raise ConfigError(f"{path} cannot be read ({error}); check it and its permissions") from None
    if not inside:
        raise ConfigError(f"{path} is a link that leaves its folder; put the file itself there")
    if not is_file:
        problem = (
            "is no plain file; put one there" if os.path.lexists(path) else "is missing; choose a folder that has it"
        )
        raise ConfigError(f"{path} {problem}")
    return path


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises ConfigError for anything else, and for a file of absurd size."""
    try:
        if path.stat().st_size > MAX_JSON_SIZE:
            raise ConfigError(f"{path} is too large for a file of its name; use another model")
        values = json.loads(read_plain(path))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}); check its permissions") from None
    except ConfigError:
        raise
    except (ValueError, RecursionError):
        raise ConfigError(f"{path} is damaged (it is not JSON); use another model") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path} is damaged (it holds no JSON object); use another model")
    return values


def check_weight_files(folder: Path) -> None:
    """Raise ConfigError, in one sentence, where a file of weights in a model's folder is missing or incomplete."""
    if (folder / WHOLE).exists() or not (folder / INDEX).exists():
        names = {WHOLE}
    else:
        placed = read_json(folder / INDEX).get("weight_map")
        names = set(placed.values()) if isinstance(placed, dict) else set()
        if not names or not all(isinstance(name, str) for name in names):
            raise ConfigError(f"{folder / INDEX} is damaged (it names no files); use another model")
    for name in sorted(names):
        path = file_within(folder, name)
        try:
            there, needed = path.stat().st_size, needed_length(path)
        except OSError as error:
            raise ConfigError(f"{path} cannot be read ({error.strerror}); check its permissions") from None
        except ValueError:
            raise ConfigError(f"{path} is damaged (its header cannot be read); use another model") from None
        if there != needed:
            raise ConfigError(
                f"{path} is damaged or incomplete (it has {there:,} bytes and needs {needed:,}); use another model"
            )


def read_header(path: Path) -> dict[str, Any]:
    """The header of a safetensors file. Raises OSError, ValueError, TypeError or AttributeError where it has none."""
    with open_plain(path) as file:
        size = int.from_bytes(file.read(8), "little")
        if not 0 < size <= _MAX_HEADER_SIZE:
            raise ValueError(size)
        return json.loads(file.read(size))


def needed_length(path: Path) -> int:
    """How many bytes a whole safetensors file has. Raises OSError, and ValueError where its header is damaged."""
    with open_plain(path) as file:
        size = int.from_bytes(file.read(8), "little")
    try:
        tensors = [entry for name, entry in read_header(path).items() if name != "__metadata__"]
        return 8 + size + max(int(entry["data_offsets"][1]) for entry in tensors)
    except (TypeError, AttributeError, LookupError, OverflowError, RecursionError) as error:
        raise ValueError(f"the header is damaged: {error}") from error
