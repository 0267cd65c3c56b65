"""Paths as people type them and terminals drop them: ~, quotes, backslashes, file:// addresses."""

from __future__ import annotations

import os
import re
import shlex
import urllib.parse
from pathlib import Path

_ADDRESS = re.compile(r"file:(?://[^/]*)?(/.*)", re.IGNORECASE | re.DOTALL)


def typed_path(text: str) -> Path:
    r"""The path that `text` means; it need not exist.

    A name that exists is that file, whatever stands in it. Else a file:// address is the path that it names, and what a
    shell would read as one word is that word: `'my text.txt'`, `my\ text.txt`, `'it'\''s.txt'`.
    """
    for exact in (text, text.strip()):
        if exact and os.path.lexists(path := Path(os.path.expanduser(exact))):
            return path
    word = _unquoted(text.strip())
    if address := _ADDRESS.fullmatch(word):
        return Path(_path_of(address[1]))
    return Path(os.path.expanduser(word))


def _unquoted(text: str) -> str:
    """The one word that a shell reads; `text` itself where it would read several, or none."""
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" and text[0] not in text[1:-1]:
        return text[1:-1]
    if os.sep == "/" and any(mark in text for mark in "'\"\\"):
        try:
            words = shlex.split(text)
        except ValueError:  # a quote that is not closed
            return text
        if len(words) == 1:
            return words[0]
        if "'" not in text and '"' not in text:  # blanks that nobody escaped, beside some that are
            return text.replace("\\", "")
    return text


def _path_of(path: str) -> str:
    """The path that stands in a file:// address; its bytes need not be UTF-8."""
    if os.sep == "/":
        return os.fsdecode(urllib.parse.unquote_to_bytes(path))
    from urllib.request import url2pathname  # only here: it brings a client for HTTP along

    return url2pathname(path)
