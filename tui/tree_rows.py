"""A tree of texts as rows: one text stands flush from its beginning to its end, and its side branches indented in it.

So a long text that was edited a thousand times is no staircase. Flush is the text on screen; in each side branch it is
the one that was last open there.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..engine.sessions.path_text import PathText
from ..engine.sessions.tree import Node, Tree


@dataclass(frozen=True)
class TreeRow:
    """A node, with its place among the rows."""

    node: Node
    depth: int  # of how many side branches it is a part
    begins: bool  # a side branch, which follows the last row above that is not as deep
    on_path: bool  # a part of the text on screen
    is_place: bool  # that text ends here
    number: int  # among its siblings, from 1; 0 for one that is deleted
    siblings: int  # itself counted


def tree_rows(text: PathText) -> list[TreeRow]:
    """A row for each node, each behind its parent. What follows a deleted node is left out."""
    tree, path, opened = text.tree, {node.id for node in text.path}, _opened_below(text.tree)
    rows: list[TreeRow] = []

    def ranked(children: list[Node]) -> dict[int, tuple[int, int]]:
        kept = [child.id for child in children if not child.deleted]
        return {child: (number, len(kept)) for number, child in enumerate(kept, 1)}

    roots = tree.children(None, deleted=True)
    ranks = ranked(roots)
    waiting = [(root, 0, False) for root in reversed(roots)]
    while waiting:
        node, depth, begins = waiting.pop()
        number, siblings = ranks.get(node.id, (0, 0))
        rows.append(TreeRow(node, depth, begins, node.id in path, node.id == text.leaf, number, siblings))
        children = [] if node.deleted else tree.children(node.id, deleted=True)
        ranks |= ranked(children)
        if children:
            straight = max(children, key=lambda one: (one.id in path, not one.deleted, opened[one.id], one.id))
            waiting.append((straight, depth, False))
            waiting += [(child, depth + 1, True) for child in reversed(children) if child is not straight]
    return rows


def _opened_below(tree: Tree) -> dict[int, int]:
    """When the person was last at or below each node."""
    opened: dict[int, int] = {}
    for node in reversed(list(tree.all_nodes())):  # each behind those that follow it
        opened[node.id] = max(node.opened, opened.get(node.id, 0))
        if node.parent is not None:
            opened[node.parent] = max(opened[node.id], opened.get(node.parent, 0))
    return opened
