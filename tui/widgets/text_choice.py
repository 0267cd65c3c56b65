"""A field for the text to learn from: what is typed is looked for in the catalogue and among files."""

from __future__ import annotations

import os
from collections.abc import Sequence

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.getters import query_one
from textual.message import Message
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from ...data.catalog import CATALOG
from ...data.text_search import FoundText, find_texts
from ...data.typed_path import typed_path
from ..text import formatting
from ..text.typed_paths import PathSuggester
from .facts import DIM
from .text_input import TextInput

_TYPING_PAUSE = 0.1  # seconds without a key before it is looked for


class _Matches(OptionList):
    """The texts that may be meant, below the field."""

    BINDINGS = [Binding("escape", "leave", "Back", show=False)]

    class Left(Message):
        """The person goes back to the field."""

    def action_leave(self) -> None:
        self.post_message(self.Left())

    def on_key(self, event: events.Key) -> None:
        """Up from the first goes back to the field."""
        if event.key == "up" and not self.highlighted:
            event.stop()
            event.prevent_default()
            self.post_message(self.Left())


class TextChoice(Vertical):
    """A name, a file or a folder. Down goes to what was found, Enter takes what is typed or chosen."""

    DEFAULT_CSS = """
    TextChoice {
        width: 1fr; height: auto;
        & > Input { width: 1fr; }
        & > OptionList {
            display: none; height: auto; max-height: 8; padding: 0 1; background: $surface;
            &, &:focus { border: none; }
        }
    }
    """

    class Changed(Message):
        """Another text is named."""

    class Taken(Message):
        """The person is done with naming it."""

    field = query_one(Input)
    matches = query_one(_Matches)

    def __init__(self, value: str, earlier: Sequence[str] = (), *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._named, self._earlier = value, earlier
        self._found: list[FoundText] = []
        self._newest = 0  # the number of the newest search

    def compose(self) -> ComposeResult:
        yield TextInput(
            self._named, placeholder="a name, or a path such as ~/my-novel.txt", suggester=PathSuggester(),
            compact=True, id="corpus-name",
            tooltip="A text of the catalogue, a text file, or a folder of them. Words find some of these; the right "
            "arrow key completes a path.",
        )  # fmt: skip
        yield _Matches(markup=False)

    @property
    def value(self) -> str:
        """What is typed."""
        return self.field.value

    @value.setter
    def value(self, text: str) -> None:
        self.field.value = text

    @property
    def is_active(self) -> bool:
        """Whether the person is still choosing."""
        return any(widget.has_focus for widget in (*self.query(Input), *self.query(_Matches)))

    # --- typing ---------------------------------------------------------------------------------

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        if event.value == self._named:  # what the field begins with
            return
        self._named = event.value
        self.post_message(self.Changed())
        self._newest += 1
        if self.field.has_focus:
            self.set_timer(_TYPING_PAUSE, lambda number=self._newest: self._search_if(number))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if self.matches.display and self._found and not self._is_known:
            self._take(self._found[0])
            return
        self._hide()
        self.post_message(self.Taken())
        self.screen.focus_next()

    @property
    def _is_known(self) -> bool:
        """Whether what is typed is a text as it stands."""
        typed = self.value.strip()
        return typed in CATALOG or typed.startswith("tales:") or os.path.lexists(typed_path(self.value))

    def on_key(self, event: events.Key) -> None:
        """Down goes from the field to what was found."""
        if event.key == "down" and self.field.has_focus:
            event.stop()
            self._newest += 1
            self._search("" if self._is_known else self.field.value, self._newest, enter=True)

    def on_descendant_blur(self) -> None:
        """Hide what was found once something else is in focus."""
        self.call_after_refresh(self._left)

    def _left(self) -> None:
        if self.is_attached and not self.is_active:
            self._hide()
            self.post_message(self.Taken())

    # --- what was found -------------------------------------------------------------------------

    def _search_if(self, number: int) -> None:
        if number == self._newest and self.field.has_focus:
            self._search(self.field.value, number, enter=False)

    @work(thread=True, group="search", exit_on_error=False)
    def _search(self, typed: str, number: int, *, enter: bool) -> None:
        found = find_texts(typed, self._earlier)
        self.app.call_from_thread(self._show, found, number, enter)

    def _show(self, found: list[FoundText], number: int, enter: bool) -> None:
        if number != self._newest or not self.is_attached or not self.is_active:
            return
        self._found = found
        self.matches.clear_options()
        self.matches.add_options([Option(_line(text)) for text in found])
        only = len(found) == 1 and found[0].name == self.field.value
        self.matches.display = bool(found) and (enter or not only)
        if enter and found:
            self.matches.focus()
            self.matches.highlighted = 0

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self._take(self._found[event.option_index])

    def _take(self, text: FoundText) -> None:
        """Write it into the field; in a folder the search goes on."""
        self.field.value = text.name
        self.field.focus()
        self.field.cursor_position = len(text.name)
        if not text.is_folder:
            self._hide()

    @on(_Matches.Left)
    def _back(self, event: _Matches.Left) -> None:
        event.stop()
        self.field.focus()
        self._hide()

    def _hide(self) -> None:
        self._newest += 1
        for matches in self.query(_Matches):  # none where the form is being left
            matches.display = False


def _line(text: FoundText) -> Content:
    return Content.assemble(formatting.one_line(text.name), (f"  {formatting.one_line(text.about)}", DIM))
