"""The session on screen, in each of the three ways to write: all of it is saved as it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeVar

from ..data.storage.errors import EXPECTED, UserError, sentence_of
from ..engine.requests import Ended, TokenDetail
from ..engine.sessions.database import StoreError
from ..engine.sessions.records import TokenRecord, record_of
from ..engine.sessions.session_text import SAVE_INTERVAL, SessionText
from ..engine.sessions.store import SessionStore
from ..engine.sessions.tree import Node, Origin, Tree, Way

T = TypeVar("T")


@dataclass
class _Reply:
    """A reply or a continuation that is being written."""

    node: int
    origin: Origin


class CurrentSession:
    """Saves what is written. Where that fails it says so once, and the app goes on with a session in memory.

    A session begins with its first words or the first draft, so that one in which nothing was written leaves no trace.
    """

    def __init__(
        self, report: Callable[[str], None], call_later: Callable[[float, Callable[[], None]], object]
    ) -> None:
        """`report` receives the sentence of a failure; `call_later` calls a function after some seconds."""
        self._report, self._call_later = report, call_later
        self._opened_store: SessionStore | None = None
        self._text: SessionText | None = None
        self._way: Way = "turns"
        self._notes: list[str] = []  # that were written before the session begins
        self._replies: dict[int, _Reply] = {}  # by the number of the sample
        self._draft: str | None = None  # to be saved
        self._save_is_due = False

    @property
    def id(self) -> int | None:
        """The number of the session; None where none has begun."""
        return self._text.session if self._text else None

    @property
    def way(self) -> Way:
        """How this session is written, or the next one where none has begun."""
        return self._way

    @property
    def store(self) -> SessionStore | None:
        """The file with all sessions; None where it cannot be used."""
        return None if self._store.in_memory else self._store

    @property
    def text(self) -> SessionText:
        """What is written here; a session begins now where there is none."""
        if self._text is None:
            self._guarded(self._begin)
        assert self._text is not None
        return self._text

    # --- which session --------------------------------------------------------------------------------

    def open(self, number: int) -> Tree | None:
        """Go on with this session; its tree, or None where another window has it or it cannot be read."""
        self.leave()
        try:
            if self.store is None or not self.store.claim(number):
                return None
            self._text = SessionText(self.store, number)
        except EXPECTED as error:
            self._go_on_in_memory(error)
            return None
        self._way = self._text.way
        return self._text.tree

    def open_last(self) -> tuple[Tree, str] | None:
        """Go on with the session that was changed last: its tree, and what was typed there and not sent."""
        try:
            last = self.store.last() if self.store else None
        except EXPECTED as error:
            self._go_on_in_memory(error)
            return None
        tree = self.open(last.id) if last else None
        return (tree, last.draft) if tree and last else None

    def leave(self, way: Way | None = None) -> None:
        """Save what there is, and let the next words begin a session of their own, written in that way."""
        self.cancel()
        self.save()
        if text := self._text:
            self._guarded(text.settle)
            with suppress(*EXPECTED):
                if self._store.is_empty(text.session):
                    self._store.erase(text.session)
                self._store.release(text.session)
        self._text, self._notes, self._draft, self._way = None, [], None, way or self._way

    def set_way(self, way: Way) -> None:
        """Write this session in another way from now on."""
        self._way = way
        if text := self._text:
            self._guarded(lambda: text.set_way(way))

    def close(self) -> None:
        """Save, and let go of the file."""
        self.leave()
        if self._opened_store is not None:
            self._opened_store.close()
            self._opened_store = None

    # --- what a person writes ---------------------------------------------------------------------------

    def change(self, act: Callable[[SessionText], T]) -> T:
        """Change the text: an edit, undo, another sibling; what `act` returns.

        Raises UserError for what cannot be done with this text.
        """
        return self._guarded(lambda: act(self.text))

    def note(self, text: str) -> None:
        """A sentence of the app stands in the chat."""
        self._notes.append(text)
        if self._text is not None:
            self._guarded(self._add_notes)

    def set_draft(self, text: str) -> None:
        """What stands in the field for prompts and was not sent."""
        if text or self._text is not None:
            self._draft = text
            self._save_soon()

    # --- what models write ------------------------------------------------------------------------------

    def ask(self, prompt: str, samples: int, origin: Origin, *, after: Node | int | None = None) -> list[int]:
        """A prompt was sent, and `samples` replies to it begin; their nodes.

        It follows the node `after`; without one it begins a text of its own.
        """
        return self._begin_replies(
            lambda text: text.begin_after(text.add(after, "person", prompt), origin, samples), origin
        )

    def retry(self, node: Node | int, samples: int, origin: Origin) -> list[int]:
        """Replies that are siblings of this one begin, or more replies to this prompt; their nodes."""

        def retry(text: SessionText) -> list[int]:
            tried = text.tree.nodes[node if isinstance(node, int) else node.id]
            after = tried.id if tried.author == "person" or tried.parent is None else tried.parent
            return text.begin_after(after, origin, samples)

        return self._begin_replies(retry, origin)

    def go_on(self, offset: int, samples: int, origin: Origin) -> list[int]:
        """Continuations of the text begin at `offset`; their nodes."""
        return self._begin_replies(lambda text: text.begin(offset, origin, samples), origin)

    def add(self, sample: int, text: str, details: Iterable[TokenDetail]) -> None:
        """A piece of a reply has come."""
        if reply := self._replies.get(sample):
            records = list(map(record_of, details))
            self.change(lambda session: session.append(reply.node, text, records))
            self._save_soon()

    def end(self, sample: int, ended: Ended) -> None:
        """A reply is complete."""
        self._finish(sample, ended.reason, ended)

    def fail(self, sentence: str) -> None:
        """No reply goes on."""
        for sample in list(self._replies):
            self._finish(sample, "failed", notices=(sentence,))

    def cancel(self) -> None:
        """What is being written ends here, whatever of it is still on its way."""
        for sample in list(self._replies):
            self._finish(sample, "cancelled")

    def _begin_replies(self, begin: Callable[[SessionText], list[int]], origin: Origin) -> list[int]:
        nodes = self.change(begin)
        self._guarded(lambda: self._store.set_model(self.text.session, origin.model))
        self._replies = {sample: _Reply(node, origin) for sample, node in enumerate(nodes)}
        return nodes

    def _finish(self, sample: int, reason: str, ended: Ended | None = None, notices: tuple[str, ...] = ()) -> None:
        reply = self._replies.pop(sample, None)
        if reply is None:
            return
        if ended is None:
            self.change(lambda text: text.finish(reply.node, reason, notices=notices))
            return
        origin = replace(
            reply.origin, step=ended.step, seed=ended.seed, checkpoint=ended.checkpoint or reply.origin.checkpoint,
            changes=ended.changes,
        )  # fmt: skip
        self.change(
            lambda text: text.finish(
                reply.node, reason, tokens=ended.tokens, tokens_per_second=ended.tokens_per_second, origin=origin,
                notices=ended.notices,
            )
        )  # fmt: skip

    # --- what models say of it --------------------------------------------------------------------------

    def scores(self, checkpoint: str) -> dict[int, list[TokenRecord]]:
        """How likely this checkpoint found what nodes say that were not recorded, as far as it was asked."""
        if (text := self._text) is None or not checkpoint:
            return {}
        return self._guarded(lambda: self._store.scores(text.session, checkpoint, self._way == "chat"))

    def keep_score(self, node: int, checkpoint: str, records: Iterable[TokenRecord]) -> None:
        """Keep how likely a checkpoint found what a node says; where nobody knows which one it is, nothing is kept."""
        if checkpoint:
            self._guarded(lambda: self._store.set_score(node, checkpoint, self._way == "chat", records))

    # --- saving ---------------------------------------------------------------------------------------

    def save(self) -> None:
        """Write what is not written yet."""
        self._save_is_due = False
        draft, self._draft = self._draft, None
        if draft is not None:
            self._guarded(lambda: self._store.set_draft(self.text.session, draft))
        if text := self._text:
            self._guarded(text.save)

    def _save_soon(self) -> None:
        if not self._save_is_due:
            self._save_is_due = True
            self._call_later(SAVE_INTERVAL, self.save)

    def _begin(self) -> None:
        self._text = SessionText.create(self._store, self._way)
        self._add_notes()

    def _add_notes(self) -> None:
        notes, self._notes = self._notes, []
        for note in notes:
            self.text.add(None, "note", note)

    # --- failures -------------------------------------------------------------------------------------

    @property
    def _store(self) -> SessionStore:
        if self._opened_store is None:
            try:
                self._opened_store = SessionStore()
            except EXPECTED as error:
                self._go_on_in_memory(error)
        assert self._opened_store is not None
        return self._opened_store

    def _guarded(self, act: Callable[[], T]) -> T:
        """Act; where the file cannot be used, go on in memory and act there."""
        try:
            return act()
        except (StoreError, OSError) as error:
            self._go_on_in_memory(error)
            return act()

    def _go_on_in_memory(self, error: BaseException) -> None:
        """A text that cannot be saved is better than none."""
        old, self._opened_store = self._opened_store, SessionStore(in_memory=True)
        if self._text is not None:
            try:
                self._text.move_to(self._opened_store)
            except UserError:
                self._text = SessionText.create(self._opened_store, self._way)
        if old is not None:
            with suppress(*EXPECTED):
                old.close()
        self._report(f"What is written here cannot be saved: {sentence_of(error)}")
