"""The text of a session as it is now: the path of its tree to the place where the person is."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate, islice
from typing import NamedTuple

from .records import TokenRecord, unknown
from .records import cut as cut_records
from .store import SessionStore
from .tree import Author, Node, Part, Source, Tree, Way, between


class Span(NamedTuple):
    """Characters `start` to `end` of the text: a part of `node`, in the words of `source`."""

    start: int
    end: int
    node: Node
    source: Source

    @property
    def author(self) -> Author:
        """Who wrote it."""
        return self.source.author


class PathText:
    """One session's tree, read: the text is that of the path to `leaf`."""

    tree: Tree
    leaf: int | None
    way: Way

    def __init__(self, store: SessionStore, session: int) -> None:
        """Read a session. Raises UserError where it is not there or cannot be read."""
        self._store, self.session = store, session
        self._records: dict[int, list[TokenRecord]] = {}  # of the sources that were asked for
        self._load()

    def _load(self) -> None:
        info = self._store.session(self.session)
        leaf, self.way = info.leaf, info.way
        self.tree = self._store.tree(self.session)
        self.leaf = leaf if leaf in self.tree.nodes else None
        self._path: list[Node] | None = None
        self._begins: list[int] | None = None

    # --- the path -------------------------------------------------------------------------------------

    @property
    def path(self) -> list[Node]:
        """The nodes from a root to the place."""
        if self._path is None:
            self._path, self._begins = self.tree.path(self.leaf), None
        return self._path

    @property
    def text(self) -> str:
        """The text of the path."""
        return "".join([node.text for node in self.path])

    def __len__(self) -> int:
        """How many characters the text has."""
        return self._ends()[-1]

    def __bool__(self) -> bool:
        """An empty text is one, too."""
        return True

    def between(self, start: int, end: int) -> str:
        """Characters `start` to `end` of the text."""
        return "".join(part.text for part in self._parts_between(start, end))

    def spans(self) -> list[Span]:
        """Whose words stand where, without gaps."""
        spans: list[Span] = []
        at = 0
        for node in self.path:
            for part in node.parts:
                if part.length:
                    spans.append(Span(at, at + part.length, node, part.source))
                    at += part.length
        return spans

    def start_of(self, node: Node | int) -> int:
        """Where the words of a node begin in the text of its path."""
        return sum(one.length for one in self.tree.path(self._node(node).parent))

    def _parts_between(self, start: int, end: int | None = None) -> Iterator[Part]:
        """The parts of characters `start` to `end` of the text."""
        first = max(0, bisect_right(self._ends(), start) - 1)
        at = self._ends()[first]
        parts = (part for node in islice(self.path, first, None) for part in node.parts)
        return between(parts, start - at, None if end is None else end - at)

    def _ends(self) -> list[int]:
        """Where each node of the path begins, and where the last one ends."""
        path = self.path
        if self._begins is None:
            self._begins = [0, *accumulate(node.length for node in path)]
        return self._begins

    def _node(self, node: Node | int) -> Node:
        return self.tree.nodes[node if isinstance(node, int) else node.id]

    # --- nodes ----------------------------------------------------------------------------------------

    def siblings(self, node: Node | int) -> list[Node]:
        """The nodes that begin where this one begins, itself among them, in the order in which they were written."""
        return self.tree.children(self._node(node).parent)

    def last_open(self, node: Node | int) -> Node:
        """The place at or below this node where the person was last; its own end where they never were there."""
        top = self._node(node)
        below = [one for _, one in self.tree.walk([top])]
        return max(below, key=lambda one: one.opened) if any(one.opened for one in below) else top

    def find(self, source: int, offset: int) -> tuple[Node, int] | None:
        """Where a character of what was written as node `source` stands now: a node and the place in its words.

        On the path where it is there, else at the place that was opened last; None where all is deleted.
        """
        found: list[tuple[bool, int, Node, int]] = []
        on_path = {node.id for node in self.path}
        for _, node in self.tree.walk():
            at = 0
            for part in node.parts:
                if part.source.id == source and part.start <= offset < max(part.end, part.start + 1):
                    found.append((node.id in on_path, node.opened, node, at + offset - part.start))
                at += part.length
        best = max(found, key=lambda place: place[:2], default=None)
        return best and best[2:]

    # --- tokens ---------------------------------------------------------------------------------------

    def records(self, node: Node | int) -> list[TokenRecord]:
        """What is kept of the tokens of a node, in the order of its text; empty where none was explained.

        Characters whose tokens are not known have a record too, which is not `known`, so that all lengths add up.
        """
        parts = self._node(node).parts
        kept: list[TokenRecord] = []
        for part in parts:
            found = self._records_of_part(part)
            if not found and part.length and len(parts) > 1:
                found = [unknown(part.length)]
            kept += found
        return kept if any(record.known for record in kept) else []

    def parts(self, offset: int, model: str | None = None) -> tuple[str, tuple[int, ...]]:
        """What a model reads to go on at `offset`: a prompt, and the ids of the tokens that follow it.

        The tokens are those of the models' words that end there, where all of them are known; with `model` (the path
        of one) only of its own words, since another one's ids may mean other tokens.
        """
        followed: list[int] = []
        at = min(offset, len(self))
        for part in reversed(self._parts_until(offset)):
            origin = part.source.origin
            if part.source.author != "model" or (model is not None and (origin is None or origin.model != model)):
                break
            records = self._records_of_part(part)
            if not (records or part.length):  # nothing of it has come yet
                continue
            if not records or not all(record.known for record in records):
                break
            followed[:0] = [record.token for record in records]
            at -= part.length
        return self.between(0, at), tuple(followed)

    def _parts_until(self, offset: int) -> list[Part]:
        """The parts of the text up to `offset`, also those without a character."""
        parts: list[Part] = []
        for part in (part for node in self.path for part in node.parts):
            if part.length > offset:
                return [*parts, part.cut(offset)[0]] if offset else parts
            parts.append(part)
            offset -= part.length
        return parts

    def _records_of_part(self, part: Part) -> list[TokenRecord]:
        return cut_records(self._records_of(part.source), part.start, part.end, len(part.source.text))

    def _records_of(self, source: Source) -> list[TokenRecord]:
        """All records of what was written at once."""
        if source.author != "model":
            return []
        if source.id not in self._records:
            self._records[source.id] = self._store.records(source.id)
        return self._records[source.id]
