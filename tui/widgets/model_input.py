"""A field for the name or path of a model, looked up while it is typed."""

from __future__ import annotations

from textual import work
from textual.message import Message

from ...data.storage.errors import EXPECTED, sentence_of
from ..found_models import FoundModel, look_up
from ..text.typed_paths import PathSuggester
from .text_input import TextInput

_TYPING_PAUSE = 0.3  # seconds without a key before what is typed is looked up


class ModelInput(TextInput):
    """Posts Looked whenever a look-up begins or ends."""

    class Looked(Message):
        """`found` or `problem` of the input has changed, or the look-up is still going on."""

        def __init__(self, input: ModelInput) -> None:
            super().__init__()
            self.input = input

    def __init__(self, value: str = "", *, placeholder: str = "", id: str | None = None, tooltip: str = "") -> None:
        super().__init__(
            value, placeholder=placeholder, suggester=PathSuggester(".pt"), compact=True, id=id, tooltip=tooltip
        )
        self.found: FoundModel | None = None
        self.problem = ""  # why it is no model, in one sentence
        self.looking = False  # whether a look-up is going on
        self._newest = 0  # the number of the newest look-up

    def on_mount(self) -> None:
        """Look up at once what the field begins with."""
        if self.value.strip():
            self._begin(0)

    def on_input_changed(self) -> None:
        """Look again after a pause in the typing."""
        self._begin(_TYPING_PAUSE)

    def _begin(self, pause: float) -> None:
        self.found, self.problem, self.looking = None, "", bool(self.value.strip())
        self._newest += 1
        self.post_message(self.Looked(self))
        if self.looking:
            self.set_timer(max(pause, 0.001), lambda number=self._newest: self._look(number))

    def _look(self, number: int) -> None:
        if number == self._newest:
            self._look_up(self.value.strip(), number)

    @work(thread=True, group="look up", exit_on_error=False)
    def _look_up(self, text: str, number: int) -> None:
        try:
            result: FoundModel | str = look_up(text)
        except EXPECTED as error:
            result = sentence_of(error)
        self.app.call_from_thread(self._take, result, number)

    def _take(self, result: FoundModel | str, number: int) -> None:
        if number != self._newest or not self.is_attached:
            return
        self.looking = False
        self.found, self.problem = (None, result) if isinstance(result, str) else (result, "")
        self.post_message(self.Looked(self))
