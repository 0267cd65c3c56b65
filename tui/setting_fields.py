"""The settings one by one, made from the dataclasses that settings.toml is read into: what each is, read and written.

The settings screen shows them, and the conversation without a screen changes them by name.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from types import NoneType
from typing import Any, Literal

from ..engine.requests import SHAPE, SamplingSettings
from ..models.config import descriptions
from .sampling_fields import TextsField
from .settings import Settings

_TEXTS = TextsField("", "", float, 0, "", ())
_TRUTHS = {"on": True, "off": False, "true": True, "false": False, "yes": True, "no": False}


@dataclass(frozen=True)
class SettingField:
    """One setting: where it stands in the file, and of which kind its value is."""

    place: tuple[str, ...]  # of the tables and the key: ("sampling", "top_k")
    kind: Any  # the annotation
    default: Any
    description: str

    @property
    def name(self) -> str:
        """The key in its table."""
        return self.place[-1]

    @property
    def choices(self) -> tuple[str, ...]:
        """All values, where there are only some."""
        return typing.get_args(self.kind) if typing.get_origin(self.kind) is Literal else ()

    @property
    def what(self) -> str:
        """What it is, and what it is by default."""
        return f"{self.description} Default: {self.text(self.default) or 'none'}."

    def value_in(self, holder: Any) -> Any:
        """The present value in the settings, or in whatever else has fields."""
        value = holder
        for key in self.place:
            value = value[key] if isinstance(value, dict) else getattr(value, key)
        return value

    def changed(self, settings: Settings, value: Any) -> Settings:
        """The settings with another value. Raises ValueError with the range for one that cannot be."""
        return _with(settings, self.place, value)

    def text(self, value: Any) -> str:
        """A value as a person writes it; empty where there is none."""
        if isinstance(value, bool):
            return "on" if value else "off"
        if isinstance(value, tuple):
            return _TEXTS.text(value)
        return "" if value is None else str(value)

    def read(self, text: str) -> Any:
        """What a person wrote. Raises ValueError with one sentence for what is of another kind."""
        kinds = set(typing.get_args(self.kind)) or {self.kind}
        written = text.strip()
        if self.choices:
            return self._one_of(self.choices, written)
        if bool in kinds:
            return _TRUTHS[self._one_of(tuple(_TRUTHS), written.lower())]
        if not written and NoneType in kinds:
            return None
        if typing.get_origin(self.kind) is tuple:
            return _TEXTS.value(text)
        try:
            return int(written) if int in kinds else float(written) if float in kinds else written
        except ValueError:
            number = "a whole number" if int in kinds else "a number"
            raise ValueError(f"{self.name} must be {number}, not '{written}'") from None

    def _one_of(self, choices: tuple[str, ...], written: str) -> str:
        if written not in choices:
            raise ValueError(f"{self.name} must be one of {', '.join(choices)}, not '{written}'")
        return written


def _with(holder: Any, place: tuple[str, ...], value: Any) -> Any:
    key, *inner = place
    if inner:
        value = _with(holder[key] if isinstance(holder, dict) else getattr(holder, key), tuple(inner), value)
    return holder | {key: value} if isinstance(holder, dict) else replace(holder, **{key: value})


def fields_at(default: Any, *place: str) -> Iterator[SettingField]:
    """The settings of a dataclass that stands at `place`, without the tables in it; `default` has their defaults."""
    hints, words = typing.get_type_hints(type(default)), descriptions(type(default))
    for field in fields(default):
        value = getattr(default, field.name)
        if not is_dataclass(value) and not isinstance(value, dict):
            yield SettingField((*place, field.name), hints[field.name], value, words[field.name])


def fields_of_set(name: str) -> Iterator[SettingField]:
    """What a set of the person's own decides."""
    return (field for field in fields_at(SamplingSettings(), "sampling_sets", name) if field.name in SHAPE)
