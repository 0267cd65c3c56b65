"""Files that are either complete or absent: a temporary name, flush, fsync, rename."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path


def write_atomic(path: Path, content: str | bytes, *, private: bool = False, make_folder: bool = True) -> None:
    """Replace `path` by `content` so that a reader, or a crash, sees the old file or the new one and nothing between.

    Text is written as UTF-8. A `private` file can be read by its owner alone, whoever could read the old one. Creates
    the folders above, unless `make_folder` is False. Raises OSError (disk full, no permission) with the old file
    untouched and no temporary file left.
    """
    if make_folder:
        path.parent.mkdir(parents=True, exist_ok=True)
    with complete_file(path) as temporary:
        if private:
            temporary.unlink(missing_ok=True)
            temporary.touch(0o600, exist_ok=False)
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


@contextlib.contextmanager
def complete_file(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` to write to: at the end that file replaces `path`, after an error it is removed.

    The folder must exist. Raises OSError with the old file untouched and no temporary file left.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("rb+") as file:
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
