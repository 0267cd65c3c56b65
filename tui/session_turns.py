"""A session as turns: what the transcript shows of its tree."""

from __future__ import annotations

from typing import NamedTuple

from ..engine.sessions.session_text import SessionText
from ..engine.sessions.tree import Node, Tree
from .reply_words import heading_of, status_line_of
from .text.transcript_text import Role


class ShownTurn(NamedTuple):
    """A turn of a session as the transcript shows it."""

    role: Role
    text: str
    heading: str = ""
    further: bool = False
    status: str = ""
    node: int | None = None  # of what was said; a note has none


def turns_of_tree(tree: Tree, alone: set[int], leaf: int | None) -> list[ShownTurn]:
    """Each prompt with the replies that were asked for together, or where it is `alone` with one.

    Of replies that were asked for one after the other it has those on the way to the `leaf`, else the last ones.
    """
    turns, path = list[ShownTurn](), {node.id for node in tree.path(leaf)}
    for root in tree.roots:
        if root.text or root.author != "person":
            turns.append(_note(root) if root.author == "note" else _prompt(root))
        replies = tree.children(root.id)
        chosen = next((reply for reply in replies if reply.id in path), replies[-1] if replies else None)
        shown = [r for r in replies if r is chosen or (root.id not in alone and chosen and r.created == chosen.created)]
        for number, reply in enumerate(replies):
            if reply in shown:
                turns.append(_reply(reply, number, len(replies), further=reply is not shown[0]))
    return turns


def turns_of_path(text: SessionText) -> list[ShownTurn]:
    """The notes, and what person and model have said on the way to the place."""
    turns = [_note(root) for root in text.tree.roots if root.author == "note"]
    for node in text.path:
        if node.author == "person":
            turns.append(_prompt(node))
        elif node.author != "note":
            siblings = text.siblings(node)
            turns.append(_reply(node, siblings.index(node), len(siblings)))
    return turns


def _note(node: Node) -> ShownTurn:
    return ShownTurn("note", node.text)


def _prompt(node: Node) -> ShownTurn:
    return ShownTurn("you", node.text, node=node.id)


def _reply(node: Node, number: int, count: int, *, further: bool = False) -> ShownTurn:
    status = status_line_of(node, several=count > 1)
    return ShownTurn("model", node.text, heading_of(number, count), further, status, node.id)
