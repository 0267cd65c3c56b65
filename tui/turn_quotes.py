"""What the line below each reply says of its quotes: what of it stands word for word in what the model learned from."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from .current_session import CurrentSession
from .training_texts import Quotable, TrainingTexts
from .widgets.transcript import Transcript

if TYPE_CHECKING:
    from ..engine.quotes.finder import QuotesAnswer


class TurnQuotes:
    """Looks for quotes in the replies of a transcript, the last first, where there is an index.

    For the reply that was written last an index is built, as TrainingTexts does it; until then its line says so.
    """

    def __init__(self, texts: TrainingTexts, transcript: Transcript, session: CurrentSession) -> None:
        self._texts, self._transcript, self._session = texts, transcript, session
        self._turns: dict[int, int] = {}  # the turn of each prompt and reply that is shown, by its node
        self._said: dict[int, str] = {}  # of a node, below its turn
        self._newest: int | None = None  # the reply that was written last
        self._looking: asyncio.Task[None] | None = None  # at the newest
        self._left: list[int] = []  # the others that are still to be looked at
        self._asking: asyncio.Task[None] | None = None  # about one of them

    def clear(self) -> None:
        """The transcript is empty."""
        self._turns.clear()
        self._said.clear()
        self._left.clear()

    def place(self, node: int, turn: int) -> None:
        """The prompt or the reply of this node is shown as this turn."""
        self._turns[node] = turn

    def written(self, nodes: Sequence[int]) -> None:
        """The replies of these nodes are complete, the newest ones."""
        if self._newest is not None and (before := self._reply(self._newest)) and self._known(before) is None:
            self._say(self._newest, "")  # that there is no index stands below the newest alone
        self._newest = next((node for node in reversed(nodes) if self._reply(node)), None)
        self.look_again()

    def look_again(self) -> None:
        """Look at all of which nothing is known; by now there may be an index."""
        if self._looking is not None:
            self._looking.cancel()
        reply = None if self._newest is None else self._reply(self._newest)
        if reply is not None:
            take = partial(self._take, self._newest)
            self._looking = self._texts.look(reply.text, reply.model, take, build="when idle")
        self.show()

    def show(self) -> None:
        """Say what is known of all replies, and look at the others."""
        self._left = []
        for node in self._turns:
            if (reply := self._reply(node)) is None:
                continue
            if (words := self._known(reply)) is not None:
                self._say(node, words)
            elif node != self._newest:
                self._left.append(node)
        self._ask()

    def in_view(self) -> Quotable | None:
        """The last reply that is in view; where none is, the first below."""
        last = self._transcript.last_turn_in_view
        replies = [node for node in self._turns if self._reply(node) is not None]
        above = [node for node in replies if self._turns[node] <= last]
        turn_of = self._turns.__getitem__
        if not replies:
            return None
        return self._reply(max(above, key=turn_of) if above else min(replies, key=turn_of))

    def _reply(self, node: int) -> Quotable | None:
        """The words of a node that a model has written to their end, and the model."""
        found = self._session.text.tree.nodes.get(node) if self._session.id is not None else None
        if found is None or found.author != "model" or found.origin is None or not (found.reason and found.text):
            return None
        return Quotable(found.text, found.origin.model, "the reply")

    def _known(self, reply: Quotable) -> str | None:
        """What is said of a reply whose quotes were found."""
        from ..data.quotes.quotes import Quotes
        from .quote_words import on_line

        answer = self._texts.known(reply.text, reply.model)
        return on_line(answer) if isinstance(answer, Quotes) else None

    def _ask(self) -> None:
        """Look at the next of those that are left, one at a time: each takes some hundredths of a second."""
        if self._asking is not None or not self._left:
            return
        node = self._left.pop()
        if (reply := self._reply(node)) is None:
            self._ask()
            return
        self._asking = self._texts.look(reply.text, reply.model, partial(self._take, node))
        self._asking.add_done_callback(lambda _: self._asked(reply))

    def _asked(self, asked: Quotable) -> None:
        self._asking = None
        if self._known(asked) is None:  # there is no index, and so none for the others of this model
            replies = ((node, self._reply(node)) for node in self._left)
            self._left = [node for node, reply in replies if reply and reply.model != asked.model]
        self._ask()

    def _take(self, node: int | None, answer: QuotesAnswer) -> None:
        from ..data.quotes.quotes import Quotes
        from .quote_words import on_line

        if node == self._newest or isinstance(answer, Quotes):
            self._say(node, on_line(answer))
        if node == self._newest and isinstance(answer, Quotes):  # there is an index now, for the others as well
            self.show()

    def _say(self, node: int | None, words: str) -> None:
        turn = None if node is None else self._turns.get(node)
        if node is not None and turn is not None and words != self._said.get(node, ""):
            self._said[node] = words
            self._transcript.add_to_status(turn, words)
