"""The SHA-256 of a model's weights as they lie on disk, which tells one checkpoint from another. Light."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..config import ConfigError
from .foreign_folder import INDEX, WHOLE, file_within, read_json
from .own_folder import known_digest


def stored_digest(model: Path) -> str:
    """The digest of the weights of a folder or of a file, "" where they cannot be read.

    Of several files it is that of their digests, each a line, in the order of their names.
    """
    try:
        digests = [known_digest(path) for path in _files(model)]
    except (OSError, ConfigError):
        return ""
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("".join(f"{digest}\n" for digest in digests).encode()).hexdigest()


def _files(model: Path) -> list[Path]:
    """The files of weights. Raises ConfigError."""
    if not model.is_dir():
        return [model]
    if (model / WHOLE).exists() or not (model / INDEX).exists():
        return [model / WHOLE]
    placed = read_json(model / INDEX).get("weight_map")
    names = set(map(str, placed.values())) if isinstance(placed, dict) else set()
    return [file_within(model, name) for name in sorted(names)]
