"""A lock file that the operating system frees when its holder dies. It is the proof that a run lives; a pid is not.

Not the filelock package: it can say whether a lock is held only by taking it. That makes the file where there is none,
on Windows deletes it afterwards, and on a file system without flock leaves a marker that outlives its holder. A look
also takes it forty times as long (0.9 ms instead of 25 us), and its import 35 ms of the app's start.
"""

from __future__ import annotations

import errno
import os
import tempfile
import time
from pathlib import Path
from typing import IO

from ..data.storage.errors import UserError
from ..data.storage.plain_files import open_plain

if os.name == "nt":
    import msvcrt

    def _try_lock(file: IO[bytes]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _try_lock(file: IO[bytes]) -> None:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


_TIMEOUT = 0.25  # seconds; `is_held` in another process has the lock for some microseconds
_HELD = (errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK)  # the last one on Windows


def acquire(path: Path) -> IO[bytes] | None:
    """Lock `path` for the life of the returned file, or return None where another process holds it.

    Raises OSError where the file cannot be made, its folder above all, and UserError where the file system has no
    locks.
    """
    file = open_plain(path, "ab", follow_links=False)
    deadline = time.monotonic() + _TIMEOUT
    while not _taken(file, path):
        if time.monotonic() > deadline:
            file.close()
            return None
        time.sleep(0.01)
    return file


def is_held(path: Path) -> bool:
    """Whether a living process holds the lock; the file is neither made nor changed.

    A file that can only be read, another user's or on a file system that is mounted so, is asked as well; where that
    has no answer, no process of this machine writes there. Raises UserError where the file system has no locks.
    """
    try:
        file = open_plain(path, "rb+", follow_links=False)
    except FileNotFoundError:
        return False
    except OSError:
        return _is_held_by_its_reading(path)
    with file:
        return not _taken(file, path)


def _is_held_by_its_reading(path: Path) -> bool:
    try:
        with open_plain(path, follow_links=False) as file:
            _try_lock(file)
    except OSError as error:
        return error.errno in (errno.EAGAIN, errno.EWOULDBLOCK)
    return False


def is_there(file: IO[bytes], path: Path) -> bool:
    """Whether the locked `file` still stands at `path`: nobody has deleted, renamed or replaced it or its folder."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:  # the file system does not answer at the moment
        return True


def check_locks(folder: Path) -> None:
    """Raise UserError where files in `folder`, which must exist, cannot be locked; OSError where none can be made."""
    with tempfile.TemporaryFile(dir=folder) as file:
        _taken(file, folder)


def _taken(file: IO[bytes], path: Path) -> bool:
    """Take the lock, or return False where another process has it."""
    try:
        _try_lock(file)
    except OSError as error:
        if error.errno in _HELD:
            return False
        file.close()
        raise UserError(
            f"{path} cannot be locked ({error.strerror}), and only a lock tells which runs are trained; set "
            "MINIGPT_HOME to a folder on a disk of this machine"
        ) from None
    return True
