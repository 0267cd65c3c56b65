"""The bindings of whatever has actions of the table, with the keys in force."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from textual.binding import Binding, BindingsMap

from .keys import chosen_keys, comes_first


class KeyedNode:
    """A node of Textual's with actions of the table, which are bound to the keys in force at each moment."""

    @property
    def _bindings(self) -> BindingsMap:
        chosen = chosen_keys()
        return _rebound(self._usual_bindings, chosen) if chosen else self._usual_bindings

    @_bindings.setter
    def _bindings(self, bindings: BindingsMap) -> None:
        self._usual_bindings = bindings


def _rebound(usual: BindingsMap, chosen: Mapping[str, tuple[str, ...]]) -> BindingsMap:
    bindings: dict[str, list[Binding]] = {}
    moved = set[str]()
    for usual_key, binding in usual:
        name = binding.id or ""
        if name not in chosen:
            bindings.setdefault(usual_key, []).append(binding)
        elif name not in moved:
            moved.add(name)
            for key in chosen[name]:
                bindings.setdefault(key, []).append(_bound(binding, key))
    return BindingsMap.from_keys(bindings)


def _bound(binding: Binding, key: str) -> Binding:
    first = comes_first(binding.id or "", key)
    return replace(binding, key=key, key_display=None, priority=binding.priority or first)
