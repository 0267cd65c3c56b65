"""Reads a file that another process appends to, line by line, from where the last read ended."""

from __future__ import annotations

from pathlib import Path

from ..data.storage.plain_files import open_plain


class LineFollower:
    """Returns the complete lines that were appended since the last call.

    A half-written last line is waited for; a file that shrank is read again from its beginning.
    """

    def __init__(self, path: Path, offset: int = 0) -> None:
        self.path = path
        self.restarts = 0  # how often the file shrank: what follows is read from its beginning
        self._offset = offset
        self._rest = b""

    def read(self, limit: int = 16 * 2**20) -> list[bytes]:
        """New lines without their newline, at most `limit` bytes of file at a time; empty where there are none.

        A file that is missing, or cannot be read, has none.
        """
        try:
            size = self.path.stat().st_size
            if size < self._offset:
                self._offset, self._rest = 0, b""
                self.restarts += 1
            if size == self._offset:
                return []
            with open_plain(self.path, follow_links=False) as file:
                file.seek(self._offset)
                piece = file.read(min(size - self._offset, limit))
        except OSError:
            return []
        self._offset += len(piece)
        *lines, self._rest = (self._rest + piece).split(b"\n")
        return [line for line in lines if line.strip()]
