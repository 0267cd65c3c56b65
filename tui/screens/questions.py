"""A question with a few answers, each with its key: before quitting, before deleting."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Static


@dataclass(frozen=True)
class Answer:
    """One way to answer: the key is the first letter of the label, unless another is given."""

    value: str
    label: str
    key: str


class Question(ModalScreen[str | None]):
    """Dismissed with the value of the answer, or None for Escape. The first answer is the default."""

    BINDINGS = [
        Binding("escape", "dismiss", "Cancel"),
        Binding("left", "app.focus_previous", show=False),
        Binding("right", "app.focus_next", show=False),
    ]

    def __init__(self, title: str, text: str, answers: list[Answer]) -> None:
        super().__init__()
        self._title = title
        self._text = text
        self._answers = answers

    def compose(self) -> ComposeResult:
        """A small box in the middle."""
        with Vertical(id="question") as box:
            box.border_title = self._title
            yield Static(self._text, markup=False, id="question-text")
            with Horizontal(id="answers"):
                for answer in self._answers:
                    yield Button(f"{answer.label}  {answer.key.upper()}", id=f"answer-{answer.value}", compact=True)
                yield Button("cancel  Esc", id="answer-cancel", compact=True)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """The mouse, or Enter on the answer in focus."""
        value = (event.button.id or "").removeprefix("answer-")
        self.dismiss(None if value == "cancel" else value)

    def on_key(self, event: events.Key) -> None:
        """An answer's own key."""
        for answer in self._answers:
            if event.key == answer.key:
                event.stop()
                self.dismiss(answer.value)


class Waiting(ModalScreen[None]):
    """A sentence that stands still while something has to end first."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        """A small box in the middle."""
        with Vertical(id="question"):
            yield Static(self._text, markup=False, id="question-text")
