"""One field of a recipe on a line: its name, its value in a field to change it, and what the preset has instead."""

from __future__ import annotations

from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Checkbox, Input, Label, Select, Static

from ...models.effects import explained
from ..recipe_fields import RecipeField
from .text_input import TextInput

_LONGEST = 1000  # characters


@dataclass(frozen=True)
class RowState:
    """What a row shows of its field."""

    text: str
    of_preset: str  # the text of the preset's value
    reason: str = ""  # why it cannot be, in one sentence
    unused: bool = False  # whether it decides nothing now

    @property
    def differs(self) -> bool:
        """Whether it is another value than the preset's."""
        return self.text != self.of_preset and not self.unused


class RecipeRow(Vertical):
    """Below the line stands why its value cannot be; where it has the focus, what it is."""

    DEFAULT_CSS = """
    RecipeRow {
        height: auto;
        & > Horizontal { height: 1; }
        & Label { width: 29; color: $text-muted; text-wrap: nowrap; text-overflow: ellipsis; }
        & Input, & Select, & Checkbox { width: 18; background: $foreground 6%; padding: 0; border: none; }
        & Select > SelectCurrent { background: transparent; padding: 0; }
        & Input:focus, & Select:focus > SelectCurrent { background: $foreground 14%; }
        & .note { width: 1fr; padding: 0 0 0 1; color: $text-muted; text-wrap: nowrap; text-overflow: ellipsis; }
        & .about, & .reason { height: auto; display: none; padding: 0 0 0 2; }
        & .about { color: $text-muted; }
        & .reason { color: $text-error; }
        &:focus-within .about { display: block; }
        &.-differs Label { color: $text; text-style: bold; }
        &.-wrong .reason { display: block; }
        &.-wrong .about { display: none; }
        &.-wrong Input { color: $text-error; }
        &.-unused { text-opacity: 60%; }
    }
    """

    @dataclass
    class Typed(Message):
        """The person wrote or chose another text for a field."""

        field: str
        text: str

    def __init__(self, field: RecipeField, state: RowState) -> None:
        super().__init__(classes="recipe-row")
        self.field = field
        self._state = state

    def compose(self) -> ComposeResult:
        field, text = self.field, self._state.text
        with Horizontal():
            yield Label(field.name, markup=False)
            if field.choices:
                options = [(Content(choice), choice) for choice in field.choices]
                blank = text not in field.choices
                yield Select(
                    options, value=Select.NULL if blank else text, allow_blank=blank, compact=True, name=field.name
                )
            elif field.kind is bool:
                yield Checkbox(text, value=text == "on", compact=True, name=field.name)
            else:
                yield TextInput(text, compact=True, max_length=_LONGEST, placeholder="none", name=field.name)
            yield Static(classes="note", markup=False)
        yield Static(classes="reason", markup=False)
        yield Static(classes="about", markup=False)

    def on_mount(self) -> None:
        """Show what the row was made with."""
        self._show_state()

    def show(self, state: RowState) -> None:
        """Show this from now on, and post nothing; what is written by hand stays as it is written."""
        if state == self._state:
            return
        self._state = state
        with self.prevent(Select.Changed, Checkbox.Changed, Input.Changed):
            for select in self.query(Select):
                if state.text in self.field.choices and select.value != state.text:
                    select.value = state.text
            for check in self.query(Checkbox):
                check.value, check.label = state.text == "on", state.text
            for input in self.query(Input):
                if input.value != state.text:
                    input.value = state.text
        self._show_state()

    def _explanation(self) -> str:
        """What the field is, what its value does, what more or less of it would do."""
        try:
            value = self.field.read(self._state.text)
        except ValueError:
            return self.field.description
        return " ".join(explained(self.field.name, value))

    def _show_state(self) -> None:
        state = self._state
        self.set_class(state.differs, "-differs")
        self.set_class(bool(state.reason), "-wrong")
        self.set_class(state.unused, "-unused")
        self.query_one(".about", Static).update(self._explanation())
        for widget in (*self.query(Input), *self.query(Select), *self.query(Checkbox)):
            widget.disabled = state.unused
        note = f"● preset {state.of_preset or 'none'}" if state.differs else "not used" if state.unused else ""
        self.query_one(".note", Static).update(note)
        self.query_one(".reason", Static).update(state.reason)

    @on(Select.Changed)
    @on(Checkbox.Changed)
    def _chosen(self, event: Select.Changed | Checkbox.Changed) -> None:
        event.stop()
        text = self.field.text(event.value)
        if event.value is not Select.NULL and text != self._state.text:
            self.post_message(self.Typed(self.field.name, text))

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        if event.value != self._state.text:
            self.post_message(self.Typed(self.field.name, event.value))
