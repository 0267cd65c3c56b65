"""A box that takes the next key, whichever it is, as the key of an action."""

from __future__ import annotations

from collections.abc import Callable

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from .. import key_names, keys
from ..keymap import Action
from .box import Box

_HINT = "Press the new key. Backspace takes the usual one, Delete none, Esc leaves all as it is."


class KeyBox(Box[str | None]):
    """Dismissed with the new key, "" for none, "usual", or None.

    While it is open the app does nothing of what keys ask for otherwise.
    """

    TAKES_ALL_KEYS = True

    def __init__(self, action: Action, refusal: Callable[[str], str]) -> None:
        """`refusal` says why a key cannot be used, or nothing."""
        super().__init__()
        self._action, self._refusal = action, refusal

    def compose(self) -> ComposeResult:
        present = ", ".join(map(key_names.spoken, keys.keys_of(self._action))) or "none"
        usual = ", ".join(map(key_names.spoken, self._action.keys))
        with Vertical(id="question") as box:
            box.border_title = Content(self._action.title.lower())
            yield Static(f"{self._action.help}\n\nKey: {present}. Usually: {usual}.\n\n{_HINT}", markup=False)
            yield Static(id="key-refusal", markup=False)

    async def on_key(self, event: events.Key) -> None:
        """Take the key, or say why it cannot be."""
        event.stop()
        event.prevent_default()
        chosen = {"escape": None, "backspace": "usual", "delete": ""}.get(event.key, event.key)
        if chosen in (None, "usual"):
            self.dismiss(chosen)
        elif reason := self._refusal(chosen):
            self.query_one("#key-refusal", Static).update(Content.styled(f"\n{reason}.", "$text-error"))
        else:
            self.dismiss(chosen)
