"""One setting on a line: its name, its value in a field to change it, and its default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Checkbox, Input, Label, Select, Static

from ..setting_fields import SettingField
from .text_input import TextInput

_LONGEST = 1000  # characters


class SettingInput(TextInput):
    """A field that is taken when the focus leaves it."""

    def on_blur(self) -> None:
        self.post_message(self.Submitted(self, self.value))


class SettingRow(Horizontal):
    """A choice, a box to check, or a field for what is typed, as the kind of the value wants it."""

    DEFAULT_CSS = """
    SettingRow {
        height: 1;
        & > Label { width: 21; }
        & > Input, & > Select, & > Checkbox { width: 26; background: $foreground 6%; padding: 0; }
        & > Input:focus, & > Select:focus > SelectCurrent { background: $foreground 14%; }
        & > Select > SelectCurrent { background: transparent; padding: 0; }
        & > Input.-wrong { color: $text-error; }
        & > .default, & > .about {
            width: 22; padding: 0 0 0 2; color: $text-muted; text-wrap: nowrap; text-overflow: ellipsis;
        }
        & > .about { width: 1fr; }
    }
    """

    @dataclass
    class Changed(Message):
        """The person wrote or chose another value."""

        row: SettingRow
        value: Any

    @dataclass
    class Refused(Message):
        """What was written is no value; `sentence` says why."""

        row: SettingRow
        sentence: str

    def __init__(self, field: SettingField, value: Any, choices: Sequence[str] = ()) -> None:
        """`choices` are all values, where the field itself does not know them."""
        super().__init__()
        self.field = field
        self._value = value
        self._choices = choices or field.choices

    def compose(self) -> ComposeResult:
        yield Label(self.field.name, markup=False)
        if self._choices:
            choices = dict.fromkeys((*self._choices, self._value))  # the file may name one that is not there
            options = [(Content(choice), choice) for choice in choices]
            yield Select(options, value=self._value, allow_blank=False, compact=True)
        elif isinstance(self._value, bool):
            yield Checkbox(self.field.text(self._value), value=self._value, compact=True)
        else:
            yield SettingInput(self.field.text(self._value), compact=True, max_length=_LONGEST, placeholder="none")
        yield Static(f"default {self.field.text(self.field.default) or 'none'}", markup=False, classes="default")
        yield Static(self.field.description, markup=False, classes="about")

    def show(self, value: Any) -> None:
        """Show this value, and post nothing."""
        self._value = value
        with self.prevent(Select.Changed, Checkbox.Changed, Input.Changed):
            if (selects := self.query(Select)) and self._choices:
                selects.first().value = value
            elif checks := self.query(Checkbox):
                checks.first().value, checks.first().label = value, self.field.text(value)
            else:
                self.query_one(SettingInput).value = self.field.text(value)
        self.mark(wrong=False)

    def mark(self, *, wrong: bool) -> None:
        """Say whether what is written can be used."""
        for input in self.query(SettingInput):
            input.set_class(wrong, "-wrong")

    @property
    def value(self) -> Any:
        """What is chosen or written now. Raises ValueError for what is no value."""
        inputs = self.query(SettingInput)
        return self.field.read(inputs.first().value) if inputs else self._value

    @on(Select.Changed)
    @on(Checkbox.Changed)
    def _chosen(self, event: Select.Changed | Checkbox.Changed) -> None:
        event.stop()
        if event.value != self._value:
            self.post_message(self.Changed(self, event.value))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        try:
            value = self.value
        except ValueError as error:
            self.mark(wrong=True)
            self.post_message(self.Refused(self, str(error)))
            return
        if value != self._value:
            self.post_message(self.Changed(self, value))
        else:
            self.mark(wrong=False)
