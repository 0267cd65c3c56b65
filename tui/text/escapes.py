r"""What cannot be typed, written as in Python or JSON: \n, \t, \u2028. A backslash itself is written \\."""

from __future__ import annotations

import re
import sys

_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")  # how JSON writes a character beyond U+FFFF
_SHORT = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "|": "|"}


def unescaped(text: str) -> str:
    """`text` with its escapes as the characters they mean; a backslash before anything else stays one."""
    return _PAIR.sub(_joined, _ESCAPE.sub(_meant, text))


def escaped(character: str) -> str:
    r"""The escape of a character that is not printable, and of the backslash and the bar."""
    if character in "\\|":
        return f"\\{character}"
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def _meant(found: re.Match[str]) -> str:
    code = found[1] or found[2] or found[3]
    if code is None:
        return _SHORT.get(found[4], found[0])
    return chr(int(code, 16)) if int(code, 16) <= sys.maxunicode else found[0]


def _joined(pair: re.Match[str]) -> str:
    return pair[0].encode("utf-16", "surrogatepass").decode("utf-16")
