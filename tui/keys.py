"""The keys in force: those of the table of actions, except where the person has chosen others."""

from __future__ import annotations

from collections.abc import Mapping

from . import key_names
from .keymap import ACTIONS, BY_ID, TOGETHER, TYPING, Action

_NEEDED = ("quit",)
_NEVER_FIRST = ("escape", "ctrl+w")  # the first closes what is open before, the second may be Alt+Backspace

Chosen = dict[str, tuple[str, ...]]  # by id; no key at all is a choice as well

_chosen: Chosen = {}  # there is one app in a process, and sentences all over it name its keys


def use(chosen: Mapping[str, str]) -> dict[str, str]:
    """Take these keys from now on, by the ids of their actions, and for the others the usual ones.

    Returns why some of them cannot be used, by id; what is named there keeps its usual keys.
    """
    accepted, refused = checked(chosen)
    _chosen.clear()
    _chosen.update(_left_to_others(accepted) | accepted)
    return refused


def checked(chosen: Mapping[str, str]) -> tuple[Chosen, dict[str, str]]:
    """What of these choices can be used, and why the others cannot, by id. Of two that clash the later one cannot.

    A choice also clashes with the usual key of an action of the same scope or one that works everywhere. From the other
    actions that work beside it, it takes the key away.
    """
    accepted, refused = Chosen(), dict[str, str]()
    for name, text in chosen.items():
        try:
            accepted[name] = _keys_for(name, text)
        except ValueError as error:
            refused[name] = str(error)
    while clash := _first_clash(accepted):
        name, sentence = clash
        refused[name] = sentence
        del accepted[name]
    return accepted, refused


def _keys_for(name: str, text: str) -> tuple[str, ...]:
    """The keys that `text` gives to an action. Raises ValueError."""
    if name not in BY_ID:
        raise ValueError("there is no such action")
    action, chosen = BY_ID[name], key_names.keys_of(text)
    if not chosen and name in _NEEDED:
        raise ValueError("it needs a key")
    for key in chosen:
        if key not in action.keys and (reason := _needed_for(key, typing=action.scope in TYPING)):
            raise ValueError(f"'{key_names.spoken(key)}' {reason}")
    return chosen


def _needed_for(key: str, *, typing: bool) -> str:
    """What a key does wherever an action would work; nothing where it is free."""
    if key == "escape":
        return "stops and closes what is open"
    if typing and key_names.is_typed(key):
        return "writes or moves in a text, and one types there"
    return "moves in a list" if key_names.moves(key) else ""


def _first_clash(accepted: Chosen) -> tuple[str, str] | None:
    """A choice whose key another action has and keeps, and that in words."""
    earlier = set[str]()
    for name, chosen in accepted.items():
        for other in ACTIONS:
            if other.id in accepted:
                clashing = other.id in earlier and _together(BY_ID[name], other)
            else:
                clashing = _keeps_its_keys(other, BY_ID[name])
            if clashing and (taken := [key for key in chosen if key in accepted.get(other.id, other.keys)]):
                return name, f"'{key_names.spoken(taken[0])}' is the key of '{other.title}' ({other.id})"
        earlier.add(name)
    return None


def _keeps_its_keys(usual: Action, chosen: Action) -> bool:
    """Whether an action with its usual keys keeps one that is chosen for another."""
    scopes = (usual.scope, chosen.scope)
    return _together(usual, chosen) and ("app" in scopes or usual.scope == chosen.scope)


def _left_to_others(accepted: Chosen) -> Chosen:
    """The usual keys that are left to actions from which a choice takes one away."""
    left = Chosen()
    for action in ACTIONS:
        taken = {key for name in accepted if _together(BY_ID[name], action) for key in accepted[name]}
        if action.id not in accepted and taken.intersection(action.keys):
            left[action.id] = tuple(key for key in action.keys if key not in taken)
    return left


def _together(one: Action, other: Action) -> bool:
    return any(one.scope in scopes and other.scope in scopes for scopes in TOGETHER)


# --- what they are called -------------------------------------------------------------------------


def keys_of(action: Action) -> tuple[str, ...]:
    """The keys of an action, as Textual calls them; the first is the one that is shown."""
    return _chosen.get(action.id, action.keys)


def shown(action: Action) -> str:
    """Its key in a list, such as ^T; empty where it has none."""
    return next(map(key_names.shown, keys_of(action)), "")


def usual(action: Action) -> str:
    """What `shown` says of it where no other key was chosen."""
    return key_names.shown(action.keys[0])


def labelled(words: str, name: str) -> str:
    """A button's words with the key of the action of this id behind them."""
    return f"{words}  {shown(BY_ID[name])}".rstrip()


def spoken(name: str) -> str:
    """The key of the action of this id in a sentence, such as Ctrl+T; where it has none, how it is found."""
    action = BY_ID[name]
    return next(map(key_names.spoken, keys_of(action)), f"'{action.title}' in the palette")


def chosen_keys() -> Mapping[str, tuple[str, ...]]:
    """The keys that the person has chosen, by the ids of their actions."""
    return _chosen


def comes_first(name: str, key: str) -> bool:
    """Whether a chosen key comes before what a text field would do with it, since the person says so."""
    return not key_names.is_typed(key) and key not in (*_NEVER_FIRST, *BY_ID[name].keys)
