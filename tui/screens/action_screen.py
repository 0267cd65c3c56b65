"""What the chat, the list of runs, the form of a new run and the box that opens a model have in common."""

from __future__ import annotations

from typing import ClassVar

from ...data.storage.errors import sentence_of
from .. import keymap
from ..keyed_node import KeyedNode
from .box import StyledOnce


class ActionScreen(KeyedNode, StyledOnce[None]):
    """A screen that has actions of its own in the keymap: those of its scope."""

    SCOPE: ClassVar[keymap.Scope]

    def refuse(self, error: BaseException) -> None:
        """Show why something was not done."""
        self.notify(sentence_of(error), severity="warning", markup=False)
