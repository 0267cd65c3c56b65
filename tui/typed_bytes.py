"""What is typed, read in the encoding of the terminal."""

from __future__ import annotations

import codecs
import functools
import sys


def read_any_bytes(encoding: str) -> None:
    """Have Textual read what is typed in this `encoding`, and a � for bytes that are none of its characters.

    Textual reads UTF-8 alone, and a single other byte, from a keyboard or a paste, ends the app. To be called before
    the app runs.
    """
    if sys.platform == "win32":
        return  # the console hands over characters
    from textual.drivers import linux_driver  # of macOS too

    name = codecs.lookup(encoding).name
    decoder = functools.partial(codecs.getincrementaldecoder("utf-8" if name == "ascii" else name), errors="replace")
    linux_driver.getincrementaldecoder = lambda _: decoder  # pyright: ignore[reportPrivateImportUsage]
