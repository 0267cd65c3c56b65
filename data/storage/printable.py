"""Foreign text made safe for a terminal: without control characters and invisible changes of text direction."""

from __future__ import annotations

TEXT_DIRECTION = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""Invisible characters that would reorder what stands next to them on the screen."""

_SYMBOLS: dict[int, int] = {
    **{code: 0x2400 + code for code in range(0x20) if code != ord("\t")},
    0x7F: 0x2421,
    0x2028: 0x2424,
    0x2029: 0x2424,
    **dict.fromkeys((*range(0x80, 0xA0), *TEXT_DIRECTION, *range(0xD800, 0xE000)), 0xFFFD),
}
_SYMBOLS_IN_LINES = {code: symbol for code, symbol in _SYMBOLS.items() if code != ord("\n")}

_CONTROLS = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)))
del _CONTROLS[ord("\t")], _CONTROLS[ord("\n")]


def is_plain(text: str) -> bool:
    """Whether each character of `text` is shown as it is, in one cell."""
    return text.isascii() and text.isprintable()


def visible(text: str) -> str:
    """`text` with every control character but the tab as one symbol: as many characters as before."""
    return text if is_plain(text) else text.translate(_SYMBOLS)


def visible_lines(text: str) -> str:
    """The same, but line breaks stay. Each character has its symbol, so a text may come in pieces."""
    return text if is_plain(text) else text.translate(_SYMBOLS_IN_LINES)


def without_controls(text: str) -> str:
    """`text` with line feeds for all line ends, and without what only steers a terminal; all else may be meant.

    That includes much that `str.isprintable` denies: no-break spaces, joiners, soft hyphens, line separators, and
    characters that are newer than this Python.
    """
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROLS)


def printable(text: str, longest: int = 80) -> str:
    """A name from a foreign file, short and without control characters."""
    shown = "".join(character if character.isprintable() else "?" for character in text)
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"
