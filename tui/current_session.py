"""The session on screen: what is said in the chat is saved as it is said."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from ..data.storage.errors import EXPECTED, sentence_of
from ..engine.requests import Ended, TokenDetail
from ..engine.sessions.records import TokenRecord, record_of
from ..engine.sessions.store import SessionStore
from ..engine.sessions.tree import Origin, Tree

SAVE_INTERVAL = 0.4  # seconds: what a kill may lose of a reply that streams


@dataclass
class _Reply:
    """A reply that is being written: its node, and what came of it since the last save."""

    node: int
    origin: Origin
    text: list[str] = field(default_factory=list)
    records: list[TokenRecord] = field(default_factory=list)


class CurrentSession:
    """Saves the turns of the chat. Where that fails it says so once, and the chat goes on without.

    A session begins with the first prompt or draft, so that one in which nothing was said leaves no trace.
    """

    def __init__(
        self, report: Callable[[str], None], call_later: Callable[[float, Callable[[], None]], object]
    ) -> None:
        """`report` receives the sentence of a failure; `call_later` calls a function after some seconds."""
        self._report, self._call_later = report, call_later
        self._store: SessionStore | None = None
        self._broken = False
        self.id: int | None = None
        self._notes: list[str] = []  # that were written before the session begins
        self._replies: dict[int, _Reply] = {}  # by the number of the sample
        self._draft: str | None = None  # to be saved
        self._save_is_due = False

    @property
    def store(self) -> SessionStore | None:
        """The file with all sessions; None where it cannot be used."""
        if self._store is None and not self._broken:
            try:
                self._store = SessionStore()
            except EXPECTED as error:
                self._fail(error)
        return self._store

    # --- which session --------------------------------------------------------------------------------

    def open(self, number: int) -> Tree | None:
        """Go on with this session; its tree, or None where another window has it or it cannot be read."""
        self.leave()
        try:
            if self.store is None or not self.store.claim(number):
                return None
            tree = self.store.tree(number)
        except EXPECTED as error:
            self._fail(error)
            return None
        self.id = number
        return tree

    def open_last(self) -> tuple[Tree, str] | None:
        """Go on with the session that was changed last: its tree, and what was typed there and not sent."""
        try:
            last = self.store.last() if self.store else None
        except EXPECTED as error:
            self._fail(error)
            return None
        tree = self.open(last.id) if last else None
        return (tree, last.draft) if tree and last else None

    def leave(self) -> None:
        """Save what there is, and let the next words begin a session of their own."""
        for sample in list(self._replies):
            self._finish(sample, "cancelled")
        self.save()
        if self._store is not None and self.id is not None:
            self._store.release(self.id)
        self.id, self._notes, self._draft = None, [], None

    def close(self) -> None:
        """Save, and let go of the file."""
        self.leave()
        if self._store is not None:
            self._store.close()
            self._store = None

    # --- what is said ---------------------------------------------------------------------------------

    def note(self, text: str) -> None:
        """A sentence of the app stands in the chat."""
        self._notes.append(text)
        if self.id is not None:
            self._add_notes()

    def ask(self, prompt: str, samples: int, origin: Origin) -> None:
        """A prompt was sent, and `samples` replies to it begin."""
        self._replies = {}

        def begin(store: SessionStore, session: int) -> None:
            parent = store.add(session, None, "person", prompt)
            store.set_model(session, origin.model)
            for sample in range(samples):
                self._replies[sample] = _Reply(store.begin(session, parent, origin), origin)

        self._with_session(begin)

    def add(self, sample: int, text: str, details: Iterable[TokenDetail]) -> None:
        """A piece of a reply has come."""
        if reply := self._replies.get(sample):
            reply.text.append(text)
            reply.records += map(record_of, details)
            self._save_soon()

    def end(self, sample: int, ended: Ended) -> None:
        """A reply is complete."""
        self._finish(sample, ended.reason, ended)

    def fail(self, sentence: str) -> None:
        """No reply goes on."""
        for sample in list(self._replies):
            self._finish(sample, "failed", notices=(sentence,))

    def set_draft(self, text: str) -> None:
        """What stands in the field for prompts and was not sent."""
        if text or self.id is not None:
            self._draft = text
            self._save_soon()

    # --- saving ---------------------------------------------------------------------------------------

    def save(self) -> None:
        """Write what is not written yet."""
        self._save_is_due = False
        draft, self._draft = self._draft, None

        def write(store: SessionStore, session: int) -> None:
            for reply in self._replies.values():
                if reply.text:
                    store.append(reply.node, "".join(reply.text), reply.records)
                    reply.text, reply.records = [], []
            if draft is not None:
                store.set_draft(session, draft)

        if draft is not None or any(reply.text for reply in self._replies.values()):
            self._with_session(write)

    def _save_soon(self) -> None:
        if not self._save_is_due:
            self._save_is_due = True
            self._call_later(SAVE_INTERVAL, self.save)

    def _finish(self, sample: int, reason: str, ended: Ended | None = None, notices: tuple[str, ...] = ()) -> None:
        self.save()
        reply = self._replies.pop(sample, None)
        if reply is None:
            return

        def finish(store: SessionStore, _: int) -> None:
            if ended is None:
                store.finish(reply.node, reason, notices=notices)
            else:
                origin = replace(reply.origin, step=ended.step, seed=ended.seed)
                store.finish(
                    reply.node, reason, tokens=ended.tokens, tokens_per_second=ended.tokens_per_second, origin=origin,
                    notices=ended.notices,
                )  # fmt: skip

        self._with_session(finish)

    def _with_session(self, act: Callable[[SessionStore, int], None]) -> None:
        """Write to the session, which begins now where there is none."""
        store = self.store
        if store is None:
            return
        try:
            if self.id is None:
                self.id = store.create("turns")
                self._add_notes()
            act(store, self.id)
        except EXPECTED as error:
            self._fail(error)

    def _add_notes(self) -> None:
        notes, self._notes = self._notes, []

        def add(store: SessionStore, session: int) -> None:
            for text in notes:
                store.add(session, None, "note", text)

        if notes:
            self._with_session(add)

    def _fail(self, error: BaseException) -> None:
        """Go on without: a chat that cannot be saved is better than none."""
        self._broken, self._store, self._replies = True, None, {}
        self._report(f"What is said here cannot be saved: {sentence_of(error)}")
