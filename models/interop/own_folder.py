"""Whether a folder's minigpt.json speaks of the weights that lie beside it. Light: no torch here.

transformers saves a model that it trained further into the same folder and leaves minigpt.json as it was. So that
file holds the SHA-256 of model.safetensors, and where it is another file the folder is a foreign one.
"""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path
from typing import Any

from ...data.storage.plain_files import open_plain
from .foreign_folder import INDEX, MAX_JSON_SIZE, WHOLE, needed_length, read_header

DESCRIPTION = "minigpt.json"
DIGEST = "weights_sha256"  # the field of minigpt.json


def is_own(folder: Path) -> bool:
    """Whether this program wrote the weights in the folder, and minigpt.json with them.

    A folder written before there was a digest is known by the step in the metadata of its weights: only this program
    writes it, and transformers writes metadata of its own. Files that are damaged or missing count as ours, so that
    whoever reads them says what is wrong with them.
    """
    while True:
        description = _read(folder)
        if description is None or _belongs(folder, description):
            return description is not None
        if _read(folder) == description:  # else another checkpoint took this one's place meanwhile
            return False


def weights_digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal, as sha256sum prints it. Raises OSError."""
    with open_plain(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def known_digest(path: Path) -> str:
    """The same, kept for a file that is looked at more than once. Raises OSError."""
    stat = path.stat()
    return _kept_digest(path, stat.st_ino, stat.st_mtime_ns, stat.st_size)


def _read(folder: Path) -> bytes | None:
    """The content of minigpt.json, None where there is none; nothing where it cannot be read."""
    try:
        with open_plain(folder / DESCRIPTION) as file:
            return file.read(MAX_JSON_SIZE)
    except FileNotFoundError:
        return None
    except OSError:
        return b""


def _belongs(folder: Path, description: bytes) -> bool:
    path = folder / WHOLE
    try:
        values: Any = json.loads(description)
        digest = values.get(DIGEST)
        if path.stat().st_size != needed_length(path):
            return True
        if digest is None:
            return "step" in (read_header(path).get("__metadata__") or {})
        return digest == known_digest(path)
    except FileNotFoundError:
        return not (folder / INDEX).exists()
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError):
        return True


@functools.lru_cache(maxsize=64)
def _kept_digest(path: Path, *_: int) -> str:
    """The numbers change with the content."""
    return weights_digest(path)
