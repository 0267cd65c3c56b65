"""The lines that a person types or a pipe brings, one at a time, without a thread that waits for them."""

from __future__ import annotations

import asyncio
import codecs
import os
from typing import TextIO

_CHUNK = 2**16  # bytes


class TypedLines:
    """Reads lines from a stream; bytes that are no text become replacement characters."""

    def __init__(self, stream: TextIO | None) -> None:
        """Without a stream there is nothing to read."""
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(getattr(stream, "encoding", None) or "utf-8")("replace")
        self._text = ""
        self._ended = stream is None

    async def next(self) -> str | None:
        """The next line without its end; None where there are no more."""
        while "\n" not in self._text and not self._ended:
            data = await self._read()
            self._ended = not data
            self._text += self._decoder.decode(data, final=self._ended)
        line, end, self._text = self._text.partition("\n")
        return line.removesuffix("\r") if line or end else None

    async def _read(self) -> bytes:
        """What has come; empty at the end."""
        assert self._stream is not None
        descriptor, loop = self._stream.fileno(), asyncio.get_running_loop()
        come = loop.create_future()
        try:
            loop.add_reader(descriptor, lambda: come.done() or come.set_result(None))
        except OSError:  # a plain file, for which nobody waits
            return os.read(descriptor, _CHUNK)
        try:
            await come
        finally:
            loop.remove_reader(descriptor)
        try:
            return os.read(descriptor, _CHUNK)
        except OSError:  # the terminal is gone
            return b""
