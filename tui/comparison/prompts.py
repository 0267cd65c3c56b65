"""What all columns continue, taken from a session, and how one of their replies becomes a part of it.

A reply that is taken is kept as any other: with its model, step, checkpoint, seed, settings and tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ...engine.requests import Turn
from ...engine.sessions.messages import messages_of
from ...engine.sessions.tree import Node
from ..current_session import CurrentSession
from ..dialogue import Dialogue, Line
from .writer import Asked, WrittenReply


class ComparedPrompt(Protocol):
    """The prompt of a comparison."""

    text: str  # to begin with
    is_given: bool  # whether there is something to be continued at once

    @property
    def is_editable(self) -> bool:
        """Whether the person may change the text."""
        ...

    def asked(self, text: str, model: str) -> Asked:
        """What a model at the path `model` reads to continue `text`."""
        ...

    def keep(self, text: str, reply: WrittenReply) -> None:
        """Make a reply to `text` that of the session. Raises UserError where that cannot be."""
        ...


class DocumentPrompt:
    """The text of a document up to the cursor."""

    is_editable = False
    is_given = True

    def __init__(self, session: CurrentSession, offset: int) -> None:
        self._session, self._offset = session, offset
        self.text = "" if session.id is None else session.text.between(0, offset)

    def asked(self, text: str, model: str) -> Asked:
        """The text, of which a model reads the tokens that it has written itself as they were."""
        if self._session.id is None:
            return Asked(text)
        prompt, then = self._session.text.parts(self._offset, model)
        return Asked(prompt, then)

    def keep(self, text: str, reply: WrittenReply) -> None:
        """The reply goes on at the cursor; what stood behind it stays as a branch."""
        _write(self._session, self._session.go_on(self._offset, 1, reply.origin), reply)


class TurnsPrompt:
    """A prompt in turns or in a chat: what stands in the field, or where that is empty the last that was answered."""

    is_editable = True

    def __init__(
        self,
        session: CurrentSession,
        dialogue: Dialogue,
        draft: str,
        edited: Node | None,
        answered: Node | None,
        sent: Callable[[], None],
    ) -> None:
        """`edited` is the prompt in whose place the draft is written; `sent` is called when the draft was answered."""
        self._session, self._dialogue, self._edited, self._sent = session, dialogue, edited, sent
        self._answered = None if draft else answered
        self.text = self._answered.text if self._answered else draft
        self.is_given = bool(draft or self._answered)

    def asked(self, text: str, model: str) -> Asked:
        """The prompt alone, framed as a speech between speakers, or with the turns before it in a chat."""
        if prompt := self._prompt_of(text):
            if self._in_chat:
                return Asked(messages=messages_of(self._session.text.tree.path(prompt.id)))
            framed, form = self._dialogue.framed(prompt)
            return Asked(framed, speech=form)
        if self._in_chat:
            after = self._after
            before = self._session.text.tree.path(after) if after is not None else []
            return Asked(messages=(*messages_of(before), Turn("user", text)))
        line = self._line
        return Asked(self._dialogue.frame(text, line), speech=line.roles.form) if line else Asked(text)

    def keep(self, text: str, reply: WrittenReply) -> None:
        """The reply is another one to the prompt that was answered, or that to a new prompt."""
        if prompt := self._prompt_of(text):
            _write(self._session, self._session.retry(prompt, 1, reply.origin), reply)
            return
        line = self._line
        nodes = self._session.ask(text, 1, reply.origin, after=self._after if self._in_chat else None)
        if line is not None:
            self._dialogue.add(self._session.text.path[-2], line)
        _write(self._session, nodes, reply)
        self._sent()

    def _prompt_of(self, text: str) -> Node | None:
        """The prompt that was answered, as long as the text is still that."""
        return self._answered if self._answered and self._answered.text == text else None

    @property
    def _in_chat(self) -> bool:
        return self._session.way == "chat"

    @property
    def _after(self) -> int | None:
        """What a new prompt of a chat follows: where an earlier one is written anew, what that follows."""
        if replaced := self._edited or self._answered:
            return replaced.parent
        return None if self._session.id is None else self._session.text.leaf

    @property
    def _line(self) -> Line | None:
        return self._dialogue.next_line(self._edited or self._answered)


def _write(session: CurrentSession, nodes: list[int], reply: WrittenReply) -> None:
    assert reply.ended is not None
    assert nodes
    session.add(0, reply.text, reply.details)
    session.end(0, reply.ended)
