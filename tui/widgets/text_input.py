"""A field of one line that takes every character but the terminal's controls."""

from __future__ import annotations

from textual.events import Key, Paste
from textual.reactive import reactive
from textual.widgets import Input

from ...data.storage.printable import without_controls


def unprintable_text(event: Key) -> str:
    """The character of a key where that is text which Textual's fields would pass over; else nothing."""
    return "" if event.is_printable else without_controls(event.character or "").strip("\t\n")


class TextInput(Input):
    """Textual's own passes over what `str.isprintable` denies: no-break spaces (file names have them), joiners ..."""

    cursor_blink = reactive(False, init=False)  # as in the prompt: a blinking cursor paints twice a second

    def on_key(self, event: Key) -> None:
        """Insert a character that Textual takes for no text."""
        if typed := unprintable_text(event):
            self._insert(typed)
            event.stop()
            event.prevent_default()

    def on_paste(self, event: Paste) -> None:
        """Insert the first line of what was pasted, which ends at a line end alone."""
        self._insert(without_controls(event.text).partition("\n")[0])
        event.stop()
        event.prevent_default()

    def _insert(self, text: str) -> None:
        self.replace(text, *sorted(self.selection))
