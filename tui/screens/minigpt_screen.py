"""What the chat, the list of runs and the form of a new run have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.screen import Screen

from ...data.storage.errors import sentence_of
from .. import keymap

if TYPE_CHECKING:
    from ..app import MinigptApp


class MinigptScreen(Screen[None]):
    """A screen that has commands of its own in the keymap."""

    PLACE: ClassVar[keymap.Place]

    @property
    def minigpt(self) -> MinigptApp:
        """The app, as what it is."""
        return cast("MinigptApp", self.app)

    def refuse(self, error: BaseException) -> None:
        """Say why something was not done."""
        self.notify(sentence_of(error), severity="warning", markup=False)
