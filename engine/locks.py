"""A lock file that the operating system frees when its holder dies. It is the proof that a run lives; a pid is not."""

from __future__ import annotations

import os
import time
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


_PATIENCE = 0.25  # seconds; whoever only looks whether a lock is held has it for some microseconds


def acquire(path: Path) -> IO[bytes] | None:
    """Lock `path` for the life of the returned file, or return None where another process holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("ab")
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            _try_lock(file)
            return file
        except OSError:
            if time.monotonic() > deadline:
                file.close()
                return None
            time.sleep(0.01)


def is_held(path: Path) -> bool:
    """Whether a living process holds the lock."""
    try:
        file = path.open("rb+")
    except OSError:
        return False
    with file:
        try:
            _try_lock(file)
        except OSError:
            return True
    return False
