"""Paths as people type them and terminals drop them: ~, quotes, backslashes, file:// addresses."""

from __future__ import annotations

import os
import shlex
import urllib.parse
import urllib.request
from pathlib import Path


def typed_path(text: str) -> Path:
    r"""The path that `text` means; it need not exist.

    A name that exists is that file, whatever stands in it. Else a file:// address is the path that it names, and what a
    shell would read as one word is that word: `'my text.txt'`, `my\ text.txt`, `'it'\''s.txt'`.
    """
    text = text.strip()
    path = _expanded(text)
    if not text or os.path.lexists(path):
        return path
    if text[:7].lower() == "file://":
        return Path(_of_address(text))
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" and text[0] not in text[1:-1]:
        return _expanded(text[1:-1])
    if os.sep == "/" and any(mark in text for mark in "'\"\\"):
        try:
            words = shlex.split(text)
        except ValueError:  # a quote that is not closed
            return path
        if len(words) == 1:
            return _expanded(words[0])
        if "'" not in text and '"' not in text:  # blanks that nobody escaped, beside some that are
            return _expanded(text.replace("\\", ""))
    return path


def _expanded(text: str) -> Path:
    return Path(os.path.expanduser(text))


def _of_address(address: str) -> str:
    """The path of a file:// address; its bytes need not be UTF-8."""
    path = "/" + address[7:].partition("/")[2]
    return os.fsdecode(urllib.parse.unquote_to_bytes(path)) if os.sep == "/" else urllib.request.url2pathname(path)
