"""A lock file that the operating system frees when its holder dies. It is the proof that a run lives; a pid is not."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import IO

if os.name == "nt":
    import msvcrt

    def _try_lock(file: IO[bytes]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _try_lock(file: IO[bytes]) -> None:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


def acquire(path: Path) -> IO[bytes] | None:
    """Lock `path` for the life of the returned file, or return None where another process holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("ab")
    try:
        _try_lock(file)
    except OSError:
        file.close()
        return None
    return file


def is_held(path: Path) -> bool:
    """Whether a living process holds the lock."""
    if not path.exists():
        return False
    with contextlib.suppress(OSError):
        file = acquire(path)
        if file is None:
            return True
        file.close()
    return False
