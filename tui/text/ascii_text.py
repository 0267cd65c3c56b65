"""Text for a terminal that shows ASCII alone: each character is replaced by as many as it takes cells.

Frames, bars, arrows and marks become what stands for them on a typewriter, letters with accents the letters without;
for all other characters there is a question mark in each of their cells.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from rich.cells import cell_len

_SIGNS = {
    "·": "-", "•": "*", "…": "~", "●": "*", "○": "o", "◌": ".", "◉": "@", "■": "#", "□": "o", "▪": "#", "★": "*",
    "✓": "+", "✔": "+", "✗": "x", "✘": "x", "×": "x", "÷": "/", "−": "-", "‖": "=", "←": "<", "→": ">", "↑": "^",
    "↓": "v", "↔": "-", "⇒": ">", "‹": "<", "›": ">", "«": '"', "»": '"', "▸": ">", "▹": ">", "▶": ">", "►": ">",
    "▾": "v", "▼": "v", "▽": "v", "◀": "<", "◂": "<", "▴": "^", "▲": "^", "△": "^", "↵": "$", "⏎": "$", "␣": "_",
    "␉": ">", "␊": "$", "␍": "$", "‘": "'", "’": "'", "‚": ",", "“": '"', "”": '"', "„": '"', "′": "'", "″": '"',
    "ß": "s", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ı": "i", "æ": "a", "Æ": "A", "œ": "o",
    "Œ": "O", "🔎": "> ",
}  # fmt: skip


def ascii_cells(text: str) -> str:
    """`text` in ASCII, as many characters as it takes cells."""
    if text.isascii():
        return text
    cells = "".join(map(_cells, text))
    return cells if len(cells) == cell_len(text) else _one_by_one(text)


def _one_by_one(text: str) -> str:
    """The same where characters are drawn as one: accents of their own, joined emoji, letters with vowel signs."""
    cells = ""
    for number, character in enumerate(text, 1):
        room = cell_len(text[:number]) - len(cells)  # none for what only changes the character before it
        sign = _cells(character)
        cells += sign if len(sign) == room else "?" * room
    return cells


@lru_cache(4096)
def _cells(character: str) -> str:
    if character.isascii():
        return character
    width = cell_len(character)
    sign = _SIGNS.get(character) or _frame(character) or _bar(character) or _plain(character)
    return sign if len(sign) == width else "?" * width


def _frame(character: str) -> str:
    """What stands for a part of a frame: a heavy line is told from a light one."""
    name = unicodedata.name(character, "")
    if not name.startswith("BOX DRAWINGS"):
        return ""
    if "DIAGONAL" in name:
        return "X" if "CROSS" in name else "/" if "UPPER RIGHT" in name else "\\"
    if " AND " in name and not name.endswith(("LEFT AND LIGHT RIGHT", "UP AND LIGHT DOWN")):
        return "+"
    if any(word in name for word in ("HORIZONTAL", "LEFT", "RIGHT")):
        return "=" if "HEAVY" in name or "DOUBLE" in name else "-"
    return "|"


def _bar(character: str) -> str:
    """What stands for a block or for dots of braille."""
    if "\u2800" <= character <= "\u28ff":
        return " " if character == "\u2800" else ":"
    if not "\u2580" <= character <= "\u259f":
        return ""
    if character in "▉▊▋▌▍▎▏▐▕":
        return "|"
    return {"▔": "-", "▀": '"', "▁": "_", "▂": "_", "▃": "_", "░": ".", "▒": ":"}.get(character, "#")


def _plain(character: str) -> str:
    """The letter below the accents, the blank or the dash."""
    kind = unicodedata.category(character)
    if kind == "Zs":
        return " " * cell_len(character)
    if kind == "Pd":
        return "-"
    decomposed = unicodedata.normalize("NFKD", character)
    letter = "".join(part for part in decomposed if not unicodedata.combining(part))
    return letter if letter.isascii() and letter.isprintable() else ""
