"""A box that asks for one line of text, such as a name; what cannot be is refused beside the line that was typed."""

from __future__ import annotations

from collections.abc import Callable

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from ...data.storage.errors import EXPECTED, sentence_of
from ..widgets.text_input import TextInput
from .box import Box


class LineBox(Box[bool]):
    """Dismissed with whether the line was taken."""

    BINDINGS = [Binding("escape", "cancel", "Cancel")]
    AUTO_FOCUS = "Input"
    DEFAULT_CSS = """
    LineBox {
        align: center middle;
        & #line-field { margin: 0 1; background: $boost; }
        & #line-problem { height: auto; padding: 0 1; color: $text-error; }
    }
    """

    def __init__(self, title: str, text: str, value: str, take: Callable[[str], object]) -> None:
        """`take` carries out what the line is for; what it raises of EXPECTED is said, and the box stays."""
        super().__init__()
        self._title, self._text, self._value, self._take = title, text, value, take

    def compose(self) -> ComposeResult:
        with Vertical(id="question") as box:
            box.border_title = Content(self._title)
            box.border_subtitle = "Enter takes it · Esc cancels"
            yield Static(self._text, markup=False, id="question-text")
            yield TextInput(self._value, id="line-field", compact=True)
            yield Static(id="line-problem", markup=False)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        try:
            self._take(event.value.strip())
        except EXPECTED as error:
            self.query_one("#line-problem", Static).update(sentence_of(error))
        else:
            self.dismiss(True)

    def action_cancel(self) -> None:
        self.dismiss(False)
