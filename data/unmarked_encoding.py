"""UTF-16 and UTF-32 without a byte order mark: nearly any bytes are valid UTF-16, so what they say has to make sense.

Of a text, nearly all characters are Latin or of the two scripts that are the commonest in it, and signs stand between
them; of numbers, and of bytes in the other order, they come from everywhere, or there are fewer signs.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections import Counter

from .character_encoding import byte_order_mark

_ENCODINGS = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
_CONTROL = re.compile(rb"[\0-\x06\x0e-\x1a\x1c-\x1f]")  # no single byte of another encoding's text
_ASCII = bytes((*range(0x20, 0x7F), *b"\t\n\r"))
_OTHERS = 0.03  # of the bytes of an ASCII text, how many may be something else
_HALF = 0.4  # of the bytes of Latin letters in UTF-16, how many are NUL at least
_SENSE = 0.9  # of the characters, how many must be of a few scripts at least
_NOTHING = 0.02  # of the characters, how many may be none
_PLAIN = 0.005  # of the characters, how many must be Latin or signs at least

_RANGES = {  # characters of one kind, where that is not the 256 that have the upper byte in common
    "latin": [(0x21, 0x24F), (0x1E00, 0x1EFF)],
    "signs": [(0x300, 0x36F), (0x2000, 0x206F), (0x3000, 0x303F), (0xFE30, 0xFE4F), (0xFF00, 0xFF65)],
    "han": [(0x4E00, 0x9FFF), (0x20000, 0x3FFFF)],
    "rare": [(0x3400, 0x4DBF)],  # of weights in half precision half the values would be these
    "kana": [(0x3040, 0x30FF)],
    "hangul": [(0x1100, 0x11FF), (0x3130, 0x318F), (0xAC00, 0xD7A3)],
    "cyrillic": [(0x400, 0x52F)],
    "arabic": [(0x600, 0x77F), (0xFB50, 0xFDFF), (0xFE70, 0xFEFC)],
    "pictures": [(0x2190, 0x2BFF), (0xFE00, 0xFE0F), (0x1F000, 0x1FFFF)],
}


def unmarked_encoding(head: bytes) -> tuple[str, int] | None:
    """In which of them the first bytes of a file are, and how sure that is in percent; None where in neither."""
    if not _CONTROL.search(head) or _is_ascii_with_nul(head):
        return None
    found = [(*_sense(codecs.getincrementaldecoder(name)("replace").decode(head)), name) for name in _ENCODINGS]
    _, together, encoding = max(found)
    return (encoding, min(99, round(100 * together))) if together else None


def named_encoding(name: str, head: bytes) -> str:
    """The encoding that a person named, in the order of bytes that the text has; a mark is none of its characters."""
    plain = codecs.lookup(name).name
    family = plain[:6]
    if family not in ("utf-16", "utf-32"):
        return name
    if byte_order_mark(head) == family:
        return family
    if plain != family:
        return plain
    found, _ = unmarked_encoding(head) or ("", 0)
    return found if found.startswith(family) else f"{family}-le"  # as Windows writes it


def _is_ascii_with_nul(head: bytes) -> bool:
    """Whether the bytes are ASCII beside NULs: two of them would be a Chinese character each."""
    rest = head.translate(None, b"\0")
    return len(rest) > (1 - _HALF) * len(head) and len(rest.translate(None, _ASCII)) <= _OTHERS * len(rest)


def _sense(text: str) -> tuple[float, float]:
    """The share of characters that are Latin or signs, and of those that belong together; 0 where it is no text."""
    kinds = Counter[str]()
    for character, count in Counter(text).items():
        kinds[_kind(character)] += count
    nothing, signs, latin, _ = (kinds.pop(kind, 0) for kind in ("nothing", "signs", "latin", "rare"))
    plain = (signs + latin) / max(1, len(text))
    together = plain + sum(count for _, count in kinds.most_common(2)) / max(1, len(text))
    makes_sense = together >= _SENSE and plain >= _PLAIN and nothing <= _NOTHING * len(text)
    return (plain, together) if makes_sense else (0.0, 0.0)


def _kind(character: str) -> str:
    code = ord(character)
    if character in " \t\n\v\f\r\b\x1b" or (code < 0x80 and character.isprintable() and not character.isalnum()):
        return "signs"
    if character == "\N{REPLACEMENT CHARACTER}" or unicodedata.category(character) in ("Cc", "Cn", "Co", "Cs"):
        return "nothing"
    for kind, ranges in _RANGES.items():
        if any(first <= code <= last for first, last in ranges):
            return kind
    return str(code >> 8)
