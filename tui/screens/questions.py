"""A question with a few answers, each with its key, such as before quitting or deleting."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.widgets import Button, Static

from .box import Box


@dataclass(frozen=True)
class Answer:
    """One way to answer, and its key."""

    value: str
    label: str
    key: str


def as_it_stands(sentence: str) -> Question:
    """Whether to learn what is no plain text."""
    return Question("no plain text", sentence, [Answer("learn", "learn it as it stands", "l")])


class Question(Box[str | None]):
    """Dismissed with the value of the answer, or None for Escape. The first answer is the default."""

    BINDINGS = [
        Binding("escape", "dismiss", "Cancel"),
        Binding("up", "app.focus_previous", show=False),
        Binding("down", "app.focus_next", show=False),
    ]
    AUTO_FOCUS = "Button"

    def __init__(self, title: str, text: str, answers: list[Answer]) -> None:
        super().__init__()
        self._title = title
        self._text = text
        self._answers = answers

    def compose(self) -> ComposeResult:
        with Vertical(id="question") as box:
            box.border_title = self._title
            yield Static(self._text, markup=False, id="question-text")
            for answer in self._answers:
                yield Button(f"{answer.key:<4} {answer.label}", id=f"answer-{answer.value}", compact=True)
            yield Button("Esc  cancel", id="answer-cancel", compact=True)

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


class Waiting(Box[None]):
    """A sentence that covers the app while it waits for something to end."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        with Vertical(id="question"):
            yield Static(self._text, markup=False, id="question-text")
