"""The sampling panel: how the next reply is drawn, edited in place."""

from __future__ import annotations

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

from ...engine.events import SamplingSettings


@dataclass(frozen=True)
class Setting:
    """One of the SamplingSettings as a person edits it."""

    name: str  # of the field in SamplingSettings
    label: str
    number: Callable[[str], float]
    step: float
    kind: str  # what it must be, for the refusal
    tooltip: str
    off: Any = ...  # the value that an empty field means, where there is one
    off_word: str = ""  # what the empty field shows

    def text(self, value: float | None) -> str:
        """A value as it stands in the field."""
        if value == self.off:
            return ""
        return f"{value:.2f}" if self.number is float else str(value)

    def value(self, text: str) -> Any:
        """Read the field. Raises ValueError with one sentence for what is no number."""
        text = text.strip()
        if self.off is not ... and text in ("", self.off_word):
            return self.off
        try:
            return self.number(text)
        except ValueError:
            raise ValueError(f"{self.label} must be {self.kind}, not '{text}'") from None


_WHOLE, _REAL = "a whole number", "a number"
SETTINGS = (
    Setting("temperature", "temperature", float, 0.05, _REAL, "Higher is wilder; 0 always takes the likeliest token."),
    Setting("top_k", "top-k", int, 1, _WHOLE, "Draw from the k likeliest tokens; empty is off.", 0, "off"),
    Setting("top_p", "top-p", float, 0.05, _REAL, "Draw from the likeliest that make up p; empty is off.", 1.0, "off"),
    Setting("max_tokens", "max tokens", int, 50, _WHOLE, "Where a reply ends at the latest."),
    Setting("seed", "seed", int, 1, _WHOLE, "One seed, one reply; empty draws a new one.", None, "random"),
)  # fmt: skip


class SettingInput(Input):
    """A number that up and down change, and that is checked when it is left."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "change(1)", "More", id="sampling.more", tooltip="Raise the value"),
        Binding("down", "change(-1)", "Less", id="sampling.less", tooltip="Lower the value"),
    ]

    @dataclass
    class Left(Message):
        """The field was left."""

        input: SettingInput

    @dataclass
    class Changing(Message):
        """Up or down was pressed."""

        input: SettingInput
        direction: int

    def __init__(self, setting: Setting) -> None:
        super().__init__(compact=True, placeholder=setting.off_word, max_length=20, id=setting.name.replace("_", "-"))
        self.setting = setting
        self.tooltip = setting.tooltip

    def action_change(self, direction: int) -> None:
        """Ask the panel for the next value."""
        self.post_message(self.Changing(self, direction))

    def on_blur(self) -> None:
        """Have the value checked."""
        self.post_message(self.Left(self))


class SamplingPanel(Widget):
    """The fields of SamplingSettings in two columns; posts Changed when one has a new value that is possible."""

    HELP = (
        "Up and down change a value, Enter or leaving the field takes it. An empty field means what it shows in grey."
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
        SettingInput { width: 1fr; background: $foreground 6%; }
        SettingInput:focus { background: $foreground 14%; }
        #refusal { column-span: 2; height: auto; color: $text-error; display: none; }
        #refusal.-shown { display: block; }
        .wide { column-span: 2; }
    }
    """
    BORDER_TITLE = "sampling"

    @dataclass
    class Changed(Message):
        """The person set something else."""

        settings: SamplingSettings

    def __init__(
        self, settings: SamplingSettings | None = None, *, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._settings = settings or SamplingSettings()
        self._inputs = {setting.name: SettingInput(setting) for setting in SETTINGS}
        self._refusal = Static(id="refusal", markup=False)

    @property
    def settings(self) -> SamplingSettings:
        """What the next reply is drawn with; assigning shows it and posts nothing."""
        return self._settings

    @settings.setter
    def settings(self, settings: SamplingSettings) -> None:
        self._settings = settings
        for field in self._inputs.values():
            self._write(field)

    def compose(self) -> ComposeResult:
        """One field for each setting; the seed, which may be long, has a row of its own."""
        for field, place in zip(self._inputs.values(), ("left", "right", "left", "right", "wide"), strict=True):
            with Horizontal(classes=place):
                yield Label(field.setting.label)
                yield field
        yield self._refusal

    def on_mount(self) -> None:
        """Fill the fields."""
        self.settings = self._settings

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if isinstance(event.input, SettingInput):
            self._take(event.input)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()  # half-typed values are nobody's business

    @on(SettingInput.Left)
    def _left(self, event: SettingInput.Left) -> None:
        event.stop()
        self._take(event.input)

    @on(SettingInput.Changing)
    def _changing(self, event: SettingInput.Changing) -> None:
        event.stop()
        if not self._take(event.input):
            return
        setting = event.input.setting
        value = getattr(self._settings, setting.name)
        with suppress(ValueError):  # at the end of its range a value stays where it is
            self._set(setting, round((-1 if value is None else value) + event.direction * setting.step, 6))
        self._write(event.input)

    def _take(self, field: SettingInput) -> bool:
        """Accept what is written in a field, or say why not; the field shows the value that holds."""
        setting, refusal = field.setting, ""
        try:
            self._set(setting, setting.value(field.value))
        except ValueError as error:
            refusal = str(error).replace(setting.name, setting.label)
        self._refusal.update(refusal)
        self._refusal.set_class(bool(refusal), "-shown")
        self._write(field)
        return not refusal

    def _set(self, setting: Setting, value: Any) -> None:
        """Change one of the settings. Raises ValueError with the range."""
        settings = replace(self._settings, **{setting.name: value})
        if settings != self._settings:
            self._settings = settings
            self.post_message(self.Changed(settings))

    def _write(self, field: SettingInput) -> None:
        # only ever this field: somebody may be typing in another one already
        field.value = field.setting.text(getattr(self._settings, field.setting.name))
