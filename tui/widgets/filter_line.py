"""A line in which a person types which rows of a list are to be seen; what is wrong with it stands below it."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, Static

from .text_input import TextInput


class FilterLine(Vertical):
    """Closed until it is opened; each change is told at once. Enter leaves it and keeps the words, Escape clears it."""

    DEFAULT_CSS = """
    FilterLine {
        height: auto;
        display: none;
        & > Horizontal { height: 1; }
        & #filter-label { width: auto; padding: 0 1 0 0; color: $text-muted; }
        & #filter-words { width: 1fr; height: 1; border: none; padding: 0; background: $boost; }
        & #filter-words:focus { border: none; }
        & > #filter-problem { height: auto; display: none; color: $text-error; }
    }
    """
    BINDINGS = [Binding("escape", "clear", "Clear", show=False), Binding("down", "leave", "Leave", show=False)]

    class Changed(Message):
        """Other words are in the line."""

        def __init__(self, words: str) -> None:
            super().__init__()
            self.words = words

    class Left(Message):
        """The person goes on in the list."""

    def __init__(self, placeholder: str, id: str | None = None) -> None:
        super().__init__(id=id)
        self._placeholder = placeholder

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Static("filter", id="filter-label")
            yield TextInput(id="filter-words", placeholder=self._placeholder)
        yield Static("", id="filter-problem", markup=False)

    @property
    def _field(self) -> Input:
        return self.query_one("#filter-words", Input)

    def open(self) -> None:
        """Take the keys, with the words of before."""
        self.display = True
        self._field.focus()

    def show_problem(self, sentence: str) -> None:
        """Say what is wrong with the words; an empty sentence where nothing is."""
        problem = self.query_one("#filter-problem", Static)
        problem.display = bool(sentence)
        problem.update(sentence)

    def action_clear(self) -> None:
        """All rows are to be seen."""
        self._field.value = ""
        self.action_leave()

    def action_leave(self) -> None:
        self.display = bool(self._field.value)
        self.post_message(self.Left())

    @on(Input.Changed)
    def _words_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed(event.value))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_leave()
