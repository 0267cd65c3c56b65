"""One session that a person and models write together: every change adds nodes and moves the place.

Nothing is overwritten. What a call has changed is in the file when it returns, but for what streams, which is there
within SAVE_INTERVAL.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from dataclasses import replace as replaced

from ...data.storage.errors import UserError
from .database import storable
from .history import Change, History
from .path_text import PathText
from .records import UNKNOWN, TokenRecord
from .store import SessionStore
from .tree import Author, Node, Origin, Part, Source, Way, between, cut, joined, packed, unpacked
from .typed_edit import TypedEdit

SAVE_INTERVAL = 0.4  # seconds: what a kill may lose of a text that streams


@dataclass
class _Stream:
    """A node that a model writes, and what of it is not saved yet."""

    source: Source
    text: list[str] = field(default_factory=list)
    records: list[TokenRecord] = field(default_factory=list)


@dataclass
class _Placed:
    """The nodes that an edit has made, so that the next keystroke can make it anew."""

    words: Node | None = None  # that were written
    tail: Node | None = None  # a copy of what stands behind them
    cut: tuple[Node, Node, tuple[Part, ...]] | None = None  # a node's new beginning, its rest, its parts before


@dataclass
class _Typing:
    """An edit that the next keystroke may continue."""

    edit: TypedEdit
    start: int | None  # the place before it
    placed: _Placed
    step: int


class SessionText(PathText):
    """The text of the path to `leaf`, the place where the person is."""

    def __init__(
        self, store: SessionStore, session: int, clock: Callable[[], float] = time.monotonic
    ) -> None:  # fmt: skip
        """Open a session and claim it. Raises UserError where it is not there, or another process writes it."""
        if not store.claim(session):
            raise UserError(f"session {session} is open in another window; close it there")
        self._clock = clock
        self._history = History(store, session)
        self._typing: _Typing | None = None
        self._streams: dict[int, _Stream] = {}
        self._saved = clock()
        super().__init__(store, session)

    @staticmethod
    def create(store: SessionStore, way: Way, model: str = "", clock: Callable[[], float] = time.monotonic):
        """A new, empty session."""
        return SessionText(store, store.create(way, model), clock)

    # --- the person's edits ---------------------------------------------------------------------------

    def replace(self, start: int, end: int, text: str) -> None:
        """Put `text` in the place of characters `start` to `end`.

        The path is cut at `start`, the words become a node, and what stood behind `end` follows as a copy. What was
        there before stays, as a branch. Keystrokes that follow each other at one place are one change.
        """
        text, now, size = storable(text), self._clock(), len(self)
        start, end = sorted((min(max(0, start), size), min(max(0, end), size)))
        if self._typing and (edit := self._typing.edit.continued(start, end, text, now)):
            self._type_on(self._typing, edit)
            return
        self.settle()
        if text == self.between(start, end):
            return
        edit = TypedEdit.begun(start, end, text, now)
        with self._change():
            before = self.leaf
            placed = self._place(start, end, text, typed=edit is not None)
            step = self._history.add(before, self.leaf)
        self._typing = _Typing(edit, before, placed, step) if edit else None

    def settle(self) -> None:
        """Let the next keystroke be a change of its own, and let a search find what was typed."""
        typing, self._typing = self._typing, None
        if typing and (words := typing.placed.words):
            self._store.end(words.id, "written")
            words.source.reason = "written"

    def _type_on(self, typing: _Typing, edit: TypedEdit) -> None:
        """Make the edit of the last keystrokes anew, with another one."""
        words, old = typing.placed.words, typing.edit
        typing.edit = edit
        with self._change():
            if words and edit.text and (edit.start, edit.end) == (old.start, old.end):
                self._store.set_text(words.id, edit.text)
                words.source.text, self._begins = edit.text, None
                self._touch()
                return
            self._take_back(typing)
            if edit.text == self.between(edit.start, edit.end):
                self._history.remove(typing.step)
                self._typing = None
            else:
                typing.placed = self._place(edit.start, edit.end, edit.text, typed=True)
                self._history.move(typing.step, self.leaf)

    def _take_back(self, typing: _Typing) -> None:
        """Remove the nodes of an edit that is made anew."""
        for node in (typing.placed.tail, typing.placed.words):
            if node is not None:
                self.tree.remove(node)
                self._store.remove(node.id)
        if typing.placed.cut:
            head, rest, parts = typing.placed.cut
            self._set_beginning(rest, head.parent, parts)
            self.tree.remove(head)
            self._store.remove(head.id)
        self._go(typing.start)

    def _place(self, start: int, end: int, text: str, *, typed: bool) -> _Placed:
        """Make the nodes of an edit and go to their end."""
        placed, following = _Placed(), joined(between(self._parts(), end))
        parent, placed.cut = self._cut(start)
        if text:
            placed.words = self._write(parent, "person", text, reason="" if typed else "written")
            parent = placed.words.id
        if following:
            placed.tail = self._copy(parent, following)
            parent = placed.tail.id
        self._go(parent)
        return placed

    # --- a model's words ------------------------------------------------------------------------------

    def begin(self, offset: int, origin: Origin, samples: int = 1) -> list[int]:
        """Nodes of continuations that begin at `offset`, siblings of each other; the place is the first one.

        What stands behind it stays as a branch.
        """
        self.settle()
        with self._change():
            before = self.leaf
            parent, _ = self._cut(offset)
            nodes = [self._write(parent, "model", "", origin=origin) for _ in range(samples)]
            self._streams |= {node.id: _Stream(node.source) for node in nodes}
            self._records |= {node.id: [] for node in nodes}
            self._go(nodes[0].id)
            self._history.add(before, self.leaf)
        return [node.id for node in nodes]

    def append(self, node: int, text: str, records: Iterable[TokenRecord] = ()) -> None:
        """Add to a node that a model writes; what came within SAVE_INTERVAL is saved together."""
        if (stream := self._streams.get(node)) is None:
            return
        stream.text.append(storable(text))
        stream.source.text += stream.text[-1]
        new = list(records)
        stream.records += new
        self._records[node] += new
        self._begins = None
        if self._clock() - self._saved >= SAVE_INTERVAL:
            self.save()

    def save(self) -> None:
        """Save what has come of the nodes that models write."""
        self._saved = self._clock()
        unsaved = {number: stream for number, stream in self._streams.items() if stream.text or stream.records}
        if not unsaved:
            return
        with self._change():
            for number, stream in unsaved.items():
                self._store.append(number, "".join(stream.text), stream.records)
            self._touch()
        for stream in unsaved.values():
            stream.text, stream.records = [], []

    def finish(
        self,
        node: int,
        reason: str,
        *,
        tokens: int = 0,
        tokens_per_second: float = 0.0,
        origin: Origin | None = None,
        notices: tuple[str, ...] = (),
    ) -> None:
        """End a node that a model wrote; `origin` replaces that of its beginning: seed and step are known now."""
        self.save()
        if (stream := self._streams.get(node)) is None:
            return
        with self._change():
            self._store.finish(
                node, reason, tokens=tokens, tokens_per_second=tokens_per_second, origin=origin, notices=notices
            )
            self._touch()
        del self._streams[node]
        source = stream.source
        source.reason, source.tokens, source.tokens_per_second = reason, tokens, tokens_per_second
        source.origin, source.notices = origin or source.origin, notices

    def take(self, node: Node | int, token: int, record: TokenRecord, text: str) -> int:
        """Go on from another token: a sibling of the rest of `node` from its token number `token` on; its id.

        `token` counts the node's `records`. The alternative's own record gets the length of `text`.
        """
        self.settle()
        node = self._node(node)
        records = self.records(node)[: token + 1]
        if len(records) <= token or any(one.length == UNKNOWN for one in records):
            raise UserError("it is not known where this token stands; colour the text again (F7) and take it then")
        *before, _ = records
        unfinished: list[TokenRecord] = []  # bytes of the same character
        while before and before[-1].length == 0:
            unfinished.insert(0, before.pop())
        kept = [*unfinished, replaced(record, length=len(text))]
        with self._change():
            start = self.leaf
            parent, _ = self._cut_node(node, sum(one.length for one in before))
            origin = next((p.source.origin for p in reversed(node.parts) if p.source.origin), None)
            new = self._write(parent, "model", storable(text), origin=origin, records=kept, reason="chosen")
            self._go(new.id)
            self._history.add(start, self.leaf)
        return new.id

    # --- places ---------------------------------------------------------------------------------------

    def undo(self) -> bool:
        """Take the last change back, whoever made it; whether there was one."""
        self.settle()
        if step := self._history.last_done():
            with self._change():
                for change in reversed(step.changes):
                    self._set(change.node, change.column, change.before)
                self._history.set_done(step.id, False)
                self._go(step.start)
        return step is not None

    def redo(self) -> bool:
        """Do again what was undone last; whether there was anything."""
        self.settle()
        if step := self._history.first_undone():
            with self._change():
                for change in step.changes:
                    self._set(change.node, change.column, change.after)
                self._history.set_done(step.id, True)
                self._go(step.stop)
        return step is not None

    def choose(self, node: Node | int) -> None:
        """Go to this node, and on to the end that was last open below it."""
        self.settle()
        if (target := self.last_open(node).id) != self.leaf:
            with self._change():
                self._history.add(self.leaf, target)
                self._go(target)

    def merge(self, node: Node | int) -> None:
        """Make one node of this one and its parent; the parent stays where others follow it too.

        Raises UserError where there is no parent, or a model still writes one of them.
        """
        self.settle()
        node = self._node(node)
        if node.parent is None:
            raise UserError("this node begins the text: there is none before it to merge it into")
        parent = self._node(node.parent)
        if not (node.reason and parent.reason):
            raise UserError("a model still writes here; merge the nodes when it has ended")
        alone = all(child is node for child in self.tree.children(parent.id, deleted=True))
        old, new = (
            (parent.id, packed(node.parts)),
            (parent.parent, packed(joined((*parent.parts, *node.parts)) or node.parts)),
        )
        changes = [Change(node.id, "beginning", old, new)]
        if alone:
            changes.append(Change(parent.id, "merged", False, True))
        with self._change():
            self._do(changes, node.id if alone and self.leaf == parent.id else self.leaf)

    def mark(self, node: Node | int, *, bookmarked: bool | None = None, deleted: bool | None = None) -> None:
        """Set or remove a bookmark; delete a node with all that follows it, or bring it back.

        Where the person is in what is deleted, the place is the end of its parent then.
        """
        self.settle()
        node = self._node(node)
        with self._change():
            if bookmarked is not None:
                self._store.mark(node.id, bookmarked=bookmarked)
                node.bookmarked = bookmarked
            if deleted is not None and deleted != node.deleted:
                place = node.parent if deleted and node in self.path else self.leaf
                self._do([Change(node.id, "deleted", node.deleted, deleted)], place)

    def _do(self, changes: list[Change], place: int | None) -> None:
        """A step that changes nodes and leads to `place`."""
        for change in changes:
            self._set(change.node, change.column, change.after)
        self._history.add(self.leaf, place, tuple(changes))
        self._go(place)

    def _set(self, number: int, column: str, value: object) -> None:
        node = self._node(number)
        if column == "deleted":
            self._store.mark(number, deleted=bool(value))
            node.deleted = bool(value)
        elif column == "merged":
            self._store.set_merged(number, bool(value))
            node.merged = bool(value)
        elif isinstance(value, (list, tuple)):
            parent, parts = value
            self._set_beginning(node, parent, unpacked(parts, self.tree.sources))

    # --- the tree and the file, together ----------------------------------------------------------------

    @contextmanager
    def _change(self) -> Iterator[None]:
        """All of a change, or nothing of it."""
        try:
            with self._store.transaction():
                yield
        except BaseException:
            with suppress(UserError):  # what cannot be read is left as it is
                self._load()
            raise

    def _load(self) -> None:
        super()._load()
        self._typing = None
        self._opened = max((node.opened for node in self.tree.nodes.values()), default=0)
        for number, stream in list(self._streams.items()):
            if source := self.tree.sources.get(number):
                source.text += "".join(stream.text)
                stream.source = source
            else:
                del self._streams[number]

    def _go(self, place: int | None) -> None:
        self.leaf, self._path = place, None
        if place is not None:
            self._opened += 1
            self._node(place).opened = self._opened
            self._store.set_opened(place, self._opened)
        self._touch()

    def _touch(self) -> None:
        """Say in the list of sessions where the person is, and how the text begins and how long it is."""
        self._store.set_place(self.session, self.leaf, self.between(0, 480), len(self))

    def _cut(self, offset: int) -> tuple[int | None, tuple[Node, Node, tuple[Part, ...]] | None]:
        """The node that ends at `offset` of the text; one that reaches over it is cut there. And what was cut."""
        parent: int | None = None
        for node, begin in zip(self.path, self._ends(), strict=False):
            if begin + node.length > offset:
                return self._cut_node(node, offset - begin)
            parent = node.id
        return parent, None

    def _cut_node(self, node: Node, at: int) -> tuple[int | None, tuple[Node, Node, tuple[Part, ...]] | None]:
        """The same of one node: its beginning becomes a new node, which it follows."""
        if at <= 0:
            return node.parent, None
        if at >= node.length:
            return node.id, None
        parts = node.parts
        before, rest = cut(parts, at)
        head = self._copy(node.parent, before)
        self._set_beginning(node, head.id, rest)
        return head.id, (head, node, parts)

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
    ) -> Node:
        source = Source(0, author, text, time.time(), origin, reason=reason)
        source.id = self._store.write(self.session, parent, source, records)
        self.tree.sources[source.id] = source
        return self._add(Node(source.id, parent, (Part(source),)))

    def _add(self, node: Node) -> Node:
        self.tree.add(node)
        return node
