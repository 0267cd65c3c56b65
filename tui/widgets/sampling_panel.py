"""The sampling panel: the settings that the next replies are sampled with, and how many replies a prompt gets."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Label, Static

from ...engine.requests import SamplingSettings
from ...models.config import descriptions
from ..settings import check_samples
from ..text.escapes import escaped, unescaped
from .text_input import TextInput


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
_DEFAULTS = SamplingSettings()
_DESCRIPTIONS = descriptions(SamplingSettings) | {
    "samples": "How many replies to one prompt, each with a seed of its own; they are written at once."
}


class SamplingInput(TextInput):
    """An input whose value up and down change, and which is checked when the focus leaves it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "change(1)", "More", id="sampling.more", tooltip="Raise the value"),
        Binding("down", "change(-1)", "Less", id="sampling.less", tooltip="Lower the value"),
    ]

    @dataclass
    class Left(Message):
        """The input has lost the focus."""

        input: SamplingInput

    @dataclass
    class Changing(Message):
        """Up or down was pressed."""

        input: SamplingInput
        direction: int

    def __init__(self, field: SamplingField) -> None:
        super().__init__(
            compact=True, placeholder=field.off_word, max_length=field.longest, id=field.name.replace("_", "-")
        )
        self.field = field
        self.tooltip = _DESCRIPTIONS[field.name]

    def action_change(self, direction: int) -> None:
        """Ask the panel for the next value."""
        self.post_message(self.Changing(self, direction))

    def on_blur(self) -> None:
        """Have the panel check the value."""
        self.post_message(self.Left(self))


class Fold(Static, can_focus=True):
    """The line that shows and hides the fields that are rarely changed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "fold", "More settings", id="sampling.fold", tooltip="Show or hide the other settings"),
    ]

    class Pressed(Message):
        """Enter, space or the mouse on the line."""

    def action_fold(self) -> None:
        self.post_message(self.Pressed())

    def on_click(self) -> None:
        self.action_fold()


class SamplingPanel(Widget):
    """The number of samples and the fields of SamplingSettings in two columns, the rarer ones behind a fold.

    Posts Changed when one has a new valid value.
    """

    HELP = (
        "Up and down change a value, Enter or leaving the field takes it. An empty field means what it shows in grey. "
        "The line below the seed shows typical-p, the other penalties, whether the names of special tokens in a prompt "
        "are literal text, and texts that end a reply or never stand in it."
    )
    DEFAULT_CSS = """
    SamplingPanel {
        height: auto;
        padding: 0 1;
        border: round $border-blurred;
        border-title-color: $text-muted;
        layout: grid;
        grid-size: 2;
        grid-gutter: 0 1;
        grid-rows: auto;
        grid-columns: 17 1fr;
        &:focus-within { border: round $border; border-title-color: $text; }
        & > Horizontal { height: 1; }
        Label { width: 11; color: $text-muted; }
        .left Label, .wide Label { width: 12; }
        .long Label { width: 5; }
        SamplingInput { width: 1fr; background: $foreground 6%; }
        SamplingInput:focus { background: $foreground 14%; }
        #refusal { column-span: 2; height: auto; color: $text-error; display: none; }
        #refusal.-shown { display: block; }
        .wide, Fold { column-span: 2; }
        Fold { height: 1; color: $text-muted; }
        Fold:focus { background: $foreground 14%; color: $text; }
        &.-folded .folded { display: none; }
    }
    """
    BORDER_TITLE = "sampling"

    @dataclass
    class Changed(Message):
        """The person set something else."""

        settings: SamplingSettings
        samples: int

    def __init__(
        self,
        settings: SamplingSettings | None = None,
        samples: int = 1,
        *,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._settings = settings or SamplingSettings()
        self._samples = samples
        self._inputs = {field.name: SamplingInput(field) for field in FRONT}
        self._fold = Fold(id="fold", markup=False)
        self._folded = True
        self._refusal = Static(id="refusal", markup=False)

    @property
    def settings(self) -> SamplingSettings:
        """What the next reply is sampled with; assigning shows it and posts nothing."""
        return self._settings

    @settings.setter
    def settings(self, settings: SamplingSettings) -> None:
        self._settings = settings
        for input in self._inputs.values():
            self._write(input)
        self._caption()

    @property
    def samples(self) -> int:
        """How many replies the next prompt gets; assigning shows it and posts nothing."""
        return self._samples

    @samples.setter
    def samples(self, number: int) -> None:
        self._samples = number
        self._write(self._inputs[SAMPLES.name])

    def compose(self) -> ComposeResult:
        """One field for each setting; what may be long has a row of its own. Those behind the fold are made when it is
        opened for the first time.
        """
        for field in FRONT:
            yield self._row(field)
        yield self._fold
        yield self._refusal

    def _row(self, field: SamplingField) -> Horizontal:
        return Horizontal(Label(field.label), self._inputs[field.name], classes=field.place)

    def on_mount(self) -> None:
        self.settings = self._settings

    @on(Fold.Pressed)
    def _pressed(self, event: Fold.Pressed) -> None:
        event.stop()
        if FOLDED[0].name not in self._inputs:
            self._inputs |= {field.name: SamplingInput(field) for field in FOLDED}
            self.mount_all([self._row(field).add_class("folded") for field in FOLDED], before=self._refusal)
            self.settings = self._settings
        self._folded = not self._folded
        self.set_class(self._folded, "-folded")
        self._caption()

    def _caption(self) -> None:
        if not self._folded:
            self._fold.update("▾ less")
            return
        changed = sum(getattr(self._settings, s.name) != getattr(_DEFAULTS, s.name) for s in FOLDED)
        self._fold.update(f"▸ more ({changed} set)" if changed else "▸ more")

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if isinstance(event.input, SamplingInput):
            self._take(event.input)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()  # a half-typed value is not a setting yet

    @on(SamplingInput.Left)
    def _left(self, event: SamplingInput.Left) -> None:
        event.stop()
        self._take(event.input)

    @on(SamplingInput.Changing)
    def _changing(self, event: SamplingInput.Changing) -> None:
        event.stop()
        if not self._take(event.input):
            return
        field = event.input.field
        with suppress(ValueError):  # at the end of its range a value stays
            self._set(field, field.changed(self._value(field), event.direction))
        self._write(event.input)

    def _take(self, input: SamplingInput) -> bool:
        """Take the value of an input, or say why it cannot be used; the input shows the value in use."""
        field, refusal = input.field, ""
        try:
            self._set(field, field.value(input.value))
        except ValueError as error:
            refusal = str(error).replace(field.name, field.label)
        self._refusal.update(refusal)
        self._refusal.set_class(bool(refusal), "-shown")
        self._write(input)
        return not refusal

    def _set(self, field: SamplingField, value: Any) -> None:
        """Change one of the settings. Raises ValueError with the range."""
        if value == self._value(field):
            return
        if field is SAMPLES:
            check_samples(value)
            self._samples = value
        else:
            self._settings = replace(self._settings, **{field.name: value})
        self.post_message(self.Changed(self._settings, self._samples))

    def _value(self, field: SamplingField) -> Any:
        return self._samples if field is SAMPLES else getattr(self._settings, field.name)

    def _write(self, input: SamplingInput) -> None:
        # only this input: the person may be typing in another one already
        input.value = input.field.text(self._value(input.field))
