"""One session that a person and models write together: every change adds nodes and moves the place.

Nothing is overwritten. What a call has changed is in the file when it returns, but for what streams, which is there
within SAVE_INTERVAL.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from dataclasses import replace as replaced

from ...data.storage.errors import UserError
from .database import storable
from .history import Change
from .records import UNKNOWN, TokenRecord
from .store import SessionStore
from .tree import Author, Node, Origin, Source, Way, joined, packed
from .tree_changes import CutNode, TreeChanges
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
    cut: CutNode | None = None


@dataclass
class _Typing:
    """An edit that the next keystroke may continue."""

    edit: TypedEdit
    start: int | None  # the place before it
    placed: _Placed
    step: int


class SessionText(TreeChanges):
    """The text of the path to `leaf`, the place where the person is."""

    def __init__(
        self, store: SessionStore, session: int, clock: Callable[[], float] = time.monotonic
    ) -> None:  # fmt: skip
        """Open a session and claim it. Raises UserError where it is not there, or another process writes it."""
        self._clock, self._saved = clock, clock()
        self._typing: _Typing | None = None
        self._streams: dict[int, _Stream] = {}
        super().__init__(store, session)

    @staticmethod
    def create(
        store: SessionStore, way: Way, model: str = "", clock: Callable[[], float] = time.monotonic
    ) -> SessionText:
        """A new, empty session."""
        return SessionText(store, store.create(way, model), clock)

    def _load(self) -> None:
        super()._load()
        self._typing = None
        for number, stream in list(self._streams.items()):
            if source := self.tree.sources.get(number):
                source.text += "".join(stream.text)
                stream.source = source
            else:
                del self._streams[number]
        self._records = {number: kept for number, kept in self._records.items() if number in self._streams}

    def move_to(self, store: SessionStore) -> None:
        """Go on in another store, with what streams as well."""
        super().move_to(store)
        for stream in self._streams.values():
            stream.text, stream.records = [], []

    def set_way(self, way: Way) -> None:
        """Write the session in another way from now on."""
        with self._change():
            self._store.set_way(self.session, way)
            self.way = way
            self._touch()

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

    def add(self, parent: Node | int | None, author: Author, text: str) -> int:
        """A node of its own that follows `parent`: a turn, or a note of the app; its id. The place is not in a note."""
        self.settle()
        with self._change():
            followed = None if parent is None else self._node(parent)
            after, _ = self._cut_node(followed, followed.length) if followed else (None, None)
            node = self._write(after, author, storable(text), reason="written")
            if author != "note":
                self._step(node.id)
        return node.id

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
                words.source.text = edit.text
                self._moved(len(edit.text) - len(old.text), 2 if typing.placed.tail else 1)
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
                self._remove(node)
        if typing.placed.cut:
            self._join(typing.placed.cut)
        self._go(typing.start)

    def _place(self, start: int, end: int, text: str, *, typed: bool) -> _Placed:
        """Make the nodes of an edit and go to their end."""
        placed, following = _Placed(), joined(self._parts_between(end))
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
            parent, _ = self._cut(offset)
            return self._begin(parent, origin, samples)

    def begin_after(self, node: Node | int, origin: Origin, samples: int = 1) -> list[int]:
        """The same at the end of `node`."""
        self.settle()
        node = self._node(node)
        with self._change():
            parent, _ = self._cut_node(node, node.length)
            return self._begin(parent, origin, samples)

    def _begin(self, parent: int | None, origin: Origin, samples: int) -> list[int]:
        now = time.time()  # one time tells later which of them were asked for together
        nodes = [self._write(parent, "model", "", origin=origin, created=now) for _ in range(samples)]
        self._streams |= {node.id: _Stream(node.source) for node in nodes}
        self._records |= {node.id: [] for node in nodes}
        self._step(nodes[0].id)
        return [node.id for node in nodes]

    def append(self, node: int, text: str, records: Iterable[TokenRecord] = ()) -> None:
        """Add to a node that a model writes; what came within SAVE_INTERVAL is saved together."""
        if (stream := self._streams.get(node)) is None:
            return
        text, new = storable(text), list(records)
        self._grow(node, stream, text, new)
        if self._clock() - self._saved >= SAVE_INTERVAL:
            try:
                self.save()
            except BaseException:  # who catches it may append the same again
                self._shrink(node, text, len(new))
                raise

    def _grow(self, node: int, stream: _Stream, text: str, records: list[TokenRecord]) -> None:
        stream.text.append(text)
        stream.records += records
        stream.source.text += text
        self._records[node] += records
        if node == self.leaf:
            self._moved(len(text), 1)
        else:
            self._begins = None

    def _shrink(self, node: int, text: str, records: int) -> None:
        if (stream := self._streams.get(node)) is not None:
            stream.text.pop()
            stream.source.text = stream.source.text.removesuffix(text)
            for kept in (stream.records, self._records[node]):
                del kept[len(kept) - records :]
            self._begins = None

    def save(self) -> None:
        """Save what has come of the nodes that models write."""
        if any(stream.text or stream.records for stream in self._streams.values()):
            with self._change():
                self._touch()

    @contextmanager
    def _change(self) -> Iterator[None]:
        """A change, with all that has come of streams: a copy may be made of it."""
        unsaved = [(number, stream) for number, stream in self._streams.items() if stream.text or stream.records]
        with super()._change():
            for number, stream in unsaved:
                self._store.append(number, "".join(stream.text), stream.records)
            yield
        self._saved = self._clock()
        for _, stream in unsaved:
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
            parent, _ = self._cut_node(node, sum(one.length for one in before))
            origin = next((p.source.origin for p in reversed(node.parts) if p.source.origin), None)
            new = self._write(parent, "model", storable(text), origin=origin, records=kept, reason="chosen")
            self._step(new.id)
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
                self._go(step.start if step.start in self.tree.nodes else None)
        return step is not None

    def redo(self) -> bool:
        """Do again what was undone last; whether there was anything."""
        self.settle()
        if step := self._history.first_undone():
            with self._change():
                for change in step.changes:
                    self._set(change.node, change.column, change.after)
                self._history.set_done(step.id, True)
                self._go(step.stop if step.stop in self.tree.nodes else None)
        return step is not None

    def choose(self, node: Node | int) -> None:
        """Go to this node, and on to the end that was last open below it."""
        self.settle()
        if (target := self.last_open(node).id) != self.leaf:
            with self._change():
                self._step(target)

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
        whole = [part._replace(stop=part.end) for part in parent.parts]  # others follow it now: it grows no more
        old, new = (
            (parent.id, packed(node.parts)),
            (parent.parent, packed(joined((*whole, *node.parts)) or node.parts)),
        )
        changes = [Change(node.id, "beginning", old, new)]
        if alone:
            changes.append(Change(parent.id, "merged", False, True))
        with self._change():
            self._step(node.id if alone and self.leaf == parent.id else self.leaf, changes)

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
                self._step(place, [Change(node.id, "deleted", node.deleted, deleted)])
