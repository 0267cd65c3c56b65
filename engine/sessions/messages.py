"""A session as the messages of a conversation."""

from __future__ import annotations

from collections.abc import Iterable

from ..requests import Turn
from .tree import Node


def messages_of(path: Iterable[Node]) -> tuple[Turn, ...]:
    """What the nodes of a path say, as a conversation that a chat template frames."""
    return tuple(Turn("user" if node.author == "person" else "assistant", node.text) for node in path)
