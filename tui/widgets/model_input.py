"""A field for the name or path of a model, which says what lies there while it is typed."""

from __future__ import annotations

from textual import work
from textual.message import Message
from textual.widgets import Input

from ...data.storage.errors import EXPECTED, sentence_of
from ..found_models import FoundModel, look_up
from ..text.typed_paths import PathSuggester, typed_model

_TYPING_PAUSE = 0.3  # seconds without a key before what is typed is looked up


class ModelInput(Input):
    """Posts Looked whenever it is known what the text means."""

    class Looked(Message):
        """What stands in the field is a model, is none and why, or is nothing at all."""

        def __init__(self, input: ModelInput) -> None:
            super().__init__()
            self.input = input

    def __init__(self, value: str = "", *, placeholder: str = "", id: str | None = None, tooltip: str = "") -> None:
        super().__init__(
            value, placeholder=placeholder, suggester=PathSuggester(".pt"), compact=True, id=id, tooltip=tooltip
        )
        self.found: FoundModel | None = None
        self.problem = ""  # why it is no model, in one sentence
        self.looking = False  # it is not known yet
        self._newest = 0  # which look is the newest

    def on_mount(self) -> None:
        """What stands there from the beginning is looked up at once."""
        if self.value.strip():
            self._begin(0)

    def on_input_changed(self) -> None:
        """Forget what was found, and look again soon."""
        self._begin(_TYPING_PAUSE)

    def _begin(self, pause: float) -> None:
        self.found, self.problem, self.looking = None, "", bool(self.value.strip())
        self._newest += 1
        self.post_message(self.Looked(self))
        if self.looking:
            self.set_timer(max(pause, 0.001), lambda number=self._newest: self._look(number))

    def _look(self, number: int) -> None:
        if number == self._newest:
            self._look_up(typed_model(self.value), number)

    @work(thread=True, group="look up", exit_on_error=False)
    def _look_up(self, text: str, number: int) -> None:
        try:
            result: FoundModel | str = look_up(text)
        except EXPECTED as error:
            result = sentence_of(error)
        self.app.call_from_thread(self._take, result, number)

    def _take(self, result: FoundModel | str, number: int) -> None:
        if number != self._newest or not self.is_mounted:
            return
        self.looking = False
        self.found, self.problem = (None, result) if isinstance(result, str) else (result, "")
        self.post_message(self.Looked(self))
