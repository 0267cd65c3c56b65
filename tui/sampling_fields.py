"""The sampling settings as fields: how each value is written, read and changed by a step."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .text.escapes import escaped, unescaped


@dataclass(frozen=True)
class SamplingField:
    """A sampling setting as a field: how its value is written and read."""

    name: str  # of the field in SamplingSettings, or `samples`
    label: str
    number: Callable[[str], float]
    step: float
    kind: str  # what it must be, for the sentence of an error
    off: Any = ...  # the value that an empty field means, where there is one
    off_word: str = ""  # what the empty field shows
    place: str = ""  # in the grid
    longest: int = 20  # characters

    def text(self, value: Any) -> str:
        """A value as the field shows it."""
        if value == self.off:
            return ""
        short = f"{value:.2f}"
        return short if self.number is float and float(short) == value else str(value)

    def value(self, text: str) -> Any:
        """Read the field. Raises ValueError with one sentence for what is no number."""
        text = text.strip()
        if self.off is not ... and text in ("", self.off_word):
            return self.off
        try:
            return self.number(text)
        except ValueError:
            raise ValueError(f"{self.label} must be {self.kind}, not '{text}'") from None

    def changed(self, value: Any, direction: int) -> Any:
        """The value after up (1) or down (-1)."""
        return round((-1 if value is None else value) + direction * self.step, 6) if self.step else value


def _switched(text: str) -> bool:
    """Whether it is on. Raises ValueError."""
    return ("off", "on").index(text.lower()) == 1


class SwitchField(SamplingField):
    """On or off: up switches it on, down off."""

    def text(self, value: Any) -> str:
        """Nothing where it is off."""
        return "on" if value else ""

    def changed(self, value: Any, direction: int) -> Any:
        """On after up, off after down."""
        return direction > 0


class TextsField(SamplingField):
    r"""Several texts in one field, between bars; what cannot be typed is written as in Python: \n is a new line."""

    def text(self, value: Any) -> str:
        """The texts as they stand in the field."""
        return "|".join(re.sub(r"[\\|]|[^ -~]", lambda found: escaped(found[0]), text) for text in value)

    def value(self, text: str) -> Any:
        """Read the field: empty texts are left out."""
        texts = re.findall(r"((?:\\.|[^\\|])+)", text, re.DOTALL)
        return tuple(map(unescaped, texts))


_WHOLE, _REAL = "a whole number", "a number"
_LEFT, _RIGHT, _WIDE = "left", "right", "wide"
SAMPLES = SamplingField("samples", "samples", int, 1, _WHOLE, place=_LEFT)
FRONT = (
    SamplingField("temperature", "temperature", float, 0.05, _REAL, place=_LEFT),
    SamplingField("top_k", "top-k", int, 1, _WHOLE, 0, "off", _RIGHT),
    SamplingField("top_p", "top-p", float, 0.05, _REAL, 1.0, "off", _LEFT),
    SamplingField("min_p", "min-p", float, 0.01, _REAL, 0.0, "off", _RIGHT),
    SamplingField("repetition_penalty", "repetition", float, 0.05, _REAL, 1.0, "off", _LEFT),
    SamplingField("max_tokens", "max tokens", int, 50, _WHOLE, place=_RIGHT),
    SAMPLES,
    SamplingField("seed", "seed", int, 1, _WHOLE, None, "random", "right long"),
)
FOLDED = (
    SamplingField("typical_p", "typical-p", float, 0.05, _REAL, 1.0, "off", _LEFT),
    SamplingField("presence_penalty", "presence", float, 0.1, _REAL, 0.0, "off", _RIGHT),
    SamplingField("frequency_penalty", "frequency", float, 0.1, _REAL, 0.0, "off", _LEFT),
    SamplingField("penalty_window", "window", int, 16, _WHOLE, 0, "all", _RIGHT),
    SwitchField("literal", "literal", _switched, 1, "on or off", False, "off", _WIDE),
    TextsField("stop", "stop", float, 0, "", (), "text|text", _WIDE, 1000),
    TextsField("forbidden", "forbid", float, 0, "", (), "text|text", _WIDE, 1000),
)
