"""Values that can be computed again, kept as JSON with a checksum; a damaged file counts as absent."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

from .atomic import write_atomic
from .plain_files import read_plain


def remember(path: Path, value: Any) -> None:
    """Keep `value`, of types that JSON has, at `path`; a failure to write is ignored."""
    body = json.dumps(value).encode()
    with contextlib.suppress(OSError):
        write_atomic(path, _checksum(body) + b"\n" + body)


def recall(path: Path) -> Any:
    """The value that was kept at `path`; None where there is none, or the file is not as it was written."""
    try:
        checksum, _, body = read_plain(path).partition(b"\n")
    except OSError:
        return None
    return json.loads(body) if checksum == _checksum(body) else None


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode()
