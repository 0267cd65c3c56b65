"""Files that are either complete or absent: a temporary name, flush, fsync, rename."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path


def write_atomic(path: Path, content: str | bytes) -> None:
    """Replace `path` by `content` so that a reader, or a crash, sees the old file or the new one and nothing between.

    Text is written as UTF-8. Creates the folder above. Raises OSError (disk full, no permission) with the old file
    untouched and no temporary file left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def replace(source: Path, target: Path) -> None:
    """os.replace, tried for a second where a reader of the old file forbids it (Windows)."""
    for attempt in range(20):
        try:
            os.replace(source, target)
            return
        except PermissionError:
            if os.name != "nt" or attempt == 19:
                raise
            time.sleep(0.05)
