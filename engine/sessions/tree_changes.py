"""The tree of a session in memory and in the file, changed together: all of a change, or nothing of it."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from ...data.storage.errors import UserError
from .history import Change, History, Step
from .path_text import PathText
from .records import TokenRecord
from .store import SessionStore
from .tree import Author, Node, Origin, Part, Source, cut, packed, unpacked

_BEGINNING = 480  # characters of a text, of which the list of sessions shows the first words

CutNode = tuple[Node, Node, tuple[Part, ...]]
"""A node's new beginning, its rest, and what its parts were before."""


class TreeChanges(PathText):
    """What every change of a session is made of."""

    def __init__(self, store: SessionStore, session: int) -> None:
        """Open a session and claim it. Raises UserError where it is not there, or another process writes it."""
        if not store.claim(session):
            raise UserError(f"session {session} is open in another window; close it there")
        self._history = History(store, session)
        super().__init__(store, session)

    def _load(self) -> None:
        super()._load()
        self._opened = max((node.opened for node in self.tree.nodes.values()), default=0)

    @contextmanager
    def _change(self) -> Iterator[None]:
        """All of what follows, or nothing of it."""
        try:
            with self._store.transaction():
                yield
        except BaseException:
            with suppress(UserError):  # what cannot be read is left as it is
                self._load()
            raise

    def move_to(self, store: SessionStore) -> None:
        """Go on in another store with the same nodes, and what can still be read of records and history."""
        records: dict[int, list[TokenRecord]] = {}
        steps: list[Step] = []
        with suppress(UserError):
            steps = self._history.steps()
            records = {number: self._store.records(number) for number in self.tree.sources}
        with store.transaction():
            session = store.create(self.way)
            store.insert(session, self.tree, records | self._records, self.leaf, same_ids=True)
            history = History(store, session)
            history.insert(steps)
        self._store, self.session, self._history = store, session, history

    # --- the place ------------------------------------------------------------------------------------

    def _go(self, place: int | None) -> None:
        path, ends = self._path, self._begins
        if path is not None and place is not None and self._node(place).parent == self.leaf:  # most steps lead on
            path.append(self._node(place))
            if ends is not None:
                ends.append(ends[-1] + path[-1].length)
        else:
            self._path = None
        self.leaf = place
        if place is not None:
            self._opened += 1
            self._node(place).opened = self._opened
            self._store.set_opened(place, self._opened)
        self._touch()

    def _moved(self, characters: int, last: int) -> None:
        """The text has become longer before the `last` nodes of the path end, or shorter."""
        if self._begins is not None:
            for number in range(-last, 0):
                self._begins[number] += characters

    def _touch(self) -> None:
        """Say in the list of sessions where the person is, and how the text begins and how long it is."""
        if self.way == "turns":  # each is a text of its own: the list shows the first one, and the size of all
            self._store.set_leaf(self.session, self.leaf)
        else:
            begin = self.path[0].begin(_BEGINNING) if self.way == "chat" and self.path else self.between(0, _BEGINNING)
            self._store.set_place(self.session, self.leaf, begin, len(self))

    def _step(self, place: int | None, changes: Iterable[Change] = ()) -> int:
        """Change nodes and go to `place`, so that undo takes it back; the id of the step."""
        changes = tuple(changes)
        for change in changes:
            self._set(change.node, change.column, change.after)
        step = self._history.add(self.leaf, place, changes)
        self._go(place)
        return step

    def _set(self, number: int, column: str, value: object) -> None:
        if (node := self.tree.nodes.get(number)) is None:
            return
        if column == "deleted":
            self._store.mark(number, deleted=bool(value))
            node.deleted = bool(value)
        elif column == "merged":
            self._store.set_merged(number, bool(value))
            node.merged = bool(value)
        elif isinstance(value, (list, tuple)):
            parent, parts = value
            self._set_beginning(node, parent, unpacked(parts, self.tree.sources))

    # --- nodes ----------------------------------------------------------------------------------------

    def _cut(self, offset: int) -> tuple[int | None, CutNode | None]:
        """The node that ends at `offset` of the text; one that reaches over it is cut there. And what was cut."""
        ends, path = self._ends(), self.path
        number = min(bisect_right(ends, offset), len(path)) - 1
        return self._cut_node(path[number], offset - ends[number]) if path else (None, None)

    def _cut_node(self, node: Node, at: int) -> tuple[int | None, CutNode | None]:
        """The same of one node: its beginning becomes a new node, which it follows.

        One that still grows is cut at its end, too: what follows it now is not to follow what comes.
        """
        parts = node.parts
        grows = parts[-1].stop is None and not node.reason
        if at >= node.length and not grows:
            return node.id, None
        if at <= 0:
            return node.parent, None
        before, rest = cut(parts, at)
        head = self._copy(node.parent, before)
        self._set_beginning(node, head.id, rest)
        return head.id, (head, node, parts)

    def _join(self, was_cut: CutNode) -> None:
        """Take a cut back, where nothing else follows the beginning."""
        head, rest, parts = was_cut
        self._set_beginning(rest, head.parent, parts)
        self._remove(head)

    def _set_beginning(self, node: Node, parent: int | None, parts: tuple[Part, ...]) -> None:
        self._store.change(node.id, parent, packed(parts))
        self.tree.change(node, parent, parts)
        self._path = None

    def _copy(self, parent: int | None, parts: tuple[Part, ...]) -> Node:
        return self._add(Node(self._store.copy(self.session, parent, parts), parent, parts))

    def _write(
        self,
        parent: int | None,
        author: Author,
        text: str,
        *,
        origin: Origin | None = None,
        records: Iterable[TokenRecord] = (),
        reason: str = "",
        created: float | None = None,
    ) -> Node:
        source = Source(0, author, text, time.time() if created is None else created, origin, reason=reason)
        source.id = self._store.write(self.session, parent, source, records)
        self.tree.sources[source.id] = source
        return self._add(Node(source.id, parent, (Part(source),)))

    def _add(self, node: Node) -> Node:
        self.tree.add(node)
        return node

    def _remove(self, node: Node) -> None:
        self.tree.remove(node)
        self._store.remove(node.id)
