"""The names of keys: as a person writes them, as Textual calls them, and as the app shows them.

Textual is imported where a key is read: commands know the words of this room as well, and never load it.
"""

from __future__ import annotations

from functools import cache

from ..data.storage.printable import printable

_MODIFIERS = ("alt", "ctrl", "shift", "super")
_OTHER_NAMES = {
    "control": "ctrl", "esc": "escape", "return": "enter", "del": "delete", "ins": "insert", "pgup": "pageup",
    "pgdn": "pagedown",
}  # fmt: skip
_EDITING = frozenset(
    ("space", "enter", "tab", "backspace", "delete", "left", "right", "up", "down", "home", "end", "pageup", "pagedown")
)
_MOVING = frozenset(("left", "right", "up", "down", "home", "end", "pageup", "pagedown"))
_REFUSED = {
    "ctrl+i": "is Tab to a terminal",
    "ctrl+m": "is Enter to a terminal",
    "ctrl+h": "is Backspace to a terminal",
    "ctrl+left_square_bracket": "is Escape to a terminal",
    "ctrl+c": "copies what is selected",
}

_SENT_AS = {"ctrl+space": "ctrl+@", "ctrl+at": "ctrl+@"}  # by terminals, and as Textual calls it then


def keys_of(text: str) -> tuple[str, ...]:
    """The keys of a list with commas, as Textual calls them; an empty text is no key.

    Raises ValueError for what is no key, and for one that cannot be given to an action.
    """
    return tuple(dict.fromkeys(map(key_of, text.split(",")))) if text.strip() else ()


def key_of(text: str) -> str:
    """The key that "Ctrl+E", "^e", "F5" or "?" means, as Textual calls it. Raises ValueError as `keys_of`."""
    text = text.strip()
    written = printable(text)
    spelled = f"ctrl+{text[1:]}" if len(text) == 2 and text[0] == "^" else text
    plus = spelled == "+" or spelled.endswith("++")
    *modifiers, name = [*spelled[:-1].split("+")[:-1], "+"] if plus else spelled.split("+")
    modifiers = sorted(_OTHER_NAMES.get(modifier.lower(), modifier.lower()) for modifier in modifiers)
    known = all(modifier in _MODIFIERS for modifier in modifiers) and len(set(modifiers)) == len(modifiers)
    if not (known and (name := _named(name, alone=not modifiers))):
        raise ValueError(f"there is no key '{written}'; a key is written as ctrl+e, alt+down, f5 or question_mark")
    if modifiers == ["shift"] and (character := _character(name)):
        raise ValueError(f"'{written}' is written as the character that it types, such as '{character.upper()}'")
    key = "+".join((*modifiers, name))
    if key in _REFUSED:
        raise ValueError(f"'{written}' {_REFUSED[key]}")
    return _SENT_AS.get(key, key)


def _named(name: str, *, alone: bool) -> str:
    """Textual's name of a key without its modifiers; empty where there is none."""
    if len(name) == 1 and name.isprintable():
        from textual.binding import Binding

        (binding,) = Binding.make_bindings([Binding(name if alone else name.lower(), "")])
        return binding.key
    name = _OTHER_NAMES.get(name.lower(), name.lower())
    return name if name in _names() or (len(name) > 1 and _character(name)) else ""


@cache
def _names() -> frozenset[str]:
    """Of the keys that type no character."""
    from textual.keys import Keys

    return frozenset(key.value for key in Keys if key.value.isalnum())


def _character(key: str) -> str:
    """What the key types; nothing where it has a name instead."""
    from textual.keys import REPLACED_KEYS, key_to_character

    return "" if key in _names() else key_to_character(REPLACED_KEYS.get(key, key)) or ""


def is_typed(key: str) -> bool:
    """Whether the key writes a character in a text, or moves or deletes there."""
    return key.removeprefix("shift+") in _EDITING or bool(_character(key))


def moves(key: str) -> bool:
    """Whether the key goes from one row of a list to another."""
    return key.removeprefix("shift+") in _MOVING


def shown(key: str) -> str:
    """The key in a list: "ctrl+t" is ^T, "escape" is Esc."""
    return f"^{key[-1].upper()}" if key.startswith("ctrl+") and len(key) == 6 else spoken(key)


def spoken(key: str) -> str:
    """The key in a sentence: "ctrl+t" is Ctrl+T, "question_mark" is ?."""
    *modifiers, name = key.split("+")
    if name == "escape":
        word = "Esc"
    else:
        word = _character(name) or name.capitalize()
    return "+".join(
        (*(modifier.capitalize() for modifier in modifiers), word.upper() if modifiers and len(word) == 1 else word)
    )
