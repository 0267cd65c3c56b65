"""Files in folders that others can write to: opened without waiting, and refused where they are no plain files.

A FIFO would be waited for until somebody writes into it, a device may have no end, and a link may lead anywhere.
"""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path
from typing import IO, Literal, overload

_NO_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)  # Windows has neither, and no FIFOs on paths


@overload
def open_plain(path: Path, mode: Literal["rb"] = "rb", *, follow_links: bool = True) -> BufferedReader: ...
@overload
def open_plain(path: Path, mode: str, *, follow_links: bool = True) -> IO[bytes]: ...
def open_plain(path: Path, mode: str = "rb", *, follow_links: bool = True) -> IO[bytes]:
    """Open a regular file in a binary `mode`. Raises OSError, whose words say so where the file is none."""

    def opener(name: str, flags: int) -> int:
        no_links = 0 if follow_links else getattr(os, "O_NOFOLLOW", 0)
        try:
            descriptor = os.open(name, flags | _NO_WAITING | no_links, 0o666)
        except OSError as error:
            if no_links and os.path.islink(name):
                raise OSError(errno.ELOOP, "it is a link, which is not followed", name) from None
            if error.errno == errno.ENXIO:  # a FIFO that nobody reads
                raise OSError(errno.EINVAL, "it is no plain file", name) from None
            raise
        kind = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(kind):
            os.close(descriptor)
            if stat.S_ISDIR(kind):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
            raise OSError(errno.EINVAL, "it is no plain file", name)
        return descriptor

    return open(path, mode, opener=opener, buffering=0 if mode == "ab" else -1)


def read_plain(path: Path, *, follow_links: bool = True) -> bytes:
    """The content of a regular file. Raises OSError as `open_plain` does."""
    with open_plain(path, follow_links=follow_links) as file:
        return file.read()


def ends_within_a_line(path: Path) -> bool:
    """Whether whoever wrote last into a file of lines left half a line at its end."""
    try:
        with open_plain(path, follow_links=False) as file:
            if file.seek(0, os.SEEK_END) == 0:
                return False
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"
    except OSError:
        return False
