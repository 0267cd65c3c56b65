"""The colours of the turns in a transcript: recorded as they were written, or scored afterwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..engine.requests import Failed, Scored, ScoreProgress, TokenDetail
from ..engine.sessions.messages import messages_of
from ..engine.sessions.records import TokenRecord, record_of
from ..engine.sessions.tree import Node
from .current_session import CurrentSession
from .generator import Generator
from .placed_tokens import coloured_end, colours_of
from .text.token_probabilities import ColouredToken
from .widgets.transcript import Transcript


@dataclass(eq=False)
class _Question:
    """The model is asked about a turn: what is likely in it, or to have it explained, its alternatives as well."""

    node: int
    explains: bool
    then: Callable[[], object] | None = None
    details: list[TokenDetail] = field(default_factory=list)


class TurnColours:
    """Asks the model about turns of which nothing was recorded, prompts too, the last first, while it writes nothing.

    A chat is framed by the model's chat template: the model reads the frame, and what a turn says in it is scored.
    """

    def __init__(
        self,
        generator: Generator,
        transcript: Transcript,
        session: CurrentSession,
        report: Callable[[str], None],
        before: Callable[[Sequence[Node]], str],
    ) -> None:
        """`report` receives the sentence of a failure; `before` says what the model reads before the end of a path."""
        self._before = before
        self._generator, self._transcript, self._session, self._report = generator, transcript, session, report
        self._turns: dict[int, int] = {}  # the turn of each prompt and reply that is shown, by its node
        self._scored: dict[int, Sequence[TokenRecord]] = {}  # by their nodes, the tokens that end them
        self._scored_by: object = None  # the checkpoint, and how it read them
        self._recorded: set[int] = set()  # the nodes of which that is known
        self._unknown: list[int] = []  # the nodes to be scored
        self._explained: tuple[int, list[TokenDetail]] | None = None
        self._next: _Question | None = None  # what goes before them
        self._asked: _Question | None = None
        self._after: Callable[[], object] | None = None  # what comes when the model has answered
        self.asking = False  # the model is asked, whether the answer is still wanted or not

    # --- which turns ----------------------------------------------------------------------------

    def clear(self) -> None:
        """The transcript is empty."""
        self._turns.clear()
        self._unknown.clear()

    def place(self, node: int, turn: int) -> None:
        """The prompt or the reply of this node is shown as this turn."""
        self._turns[node] = turn

    def node_of(self, turn: int) -> int | None:
        """The node that is shown as this turn."""
        return next((node for node, number in self._turns.items() if number == turn), None)

    # --- colours --------------------------------------------------------------------------------

    def known(self, node: int) -> list[ColouredToken]:
        """The tokens of a node with their probabilities; none where nothing is known, or colours are not wanted."""
        if not self._transcript.coloured:
            return []
        found = self._session.text.tree.nodes.get(node)
        scored = coloured_end(self._scored.get(node, ()), found.length) if found else []
        return colours_of(self._session.text, node) or scored

    def colour(self) -> None:
        """Colour what is known, and have the rest scored."""
        self._forget_other_scores()
        for node, turn in self._turns.items():
            self._transcript.set_probabilities(turn, self.known(node))
        self.ask()

    def ask(self) -> None:
        """Have those of the turns scored that nothing is known of."""
        if self._forget_other_scores() and self._transcript.coloured:
            self.colour()
            return
        self._unknown = [node for node in self._turns if self._lacks_colours(node)] if self._transcript.coloured else []
        self._ask()

    def _forget_other_scores(self) -> bool:
        """Go over to what is kept of the checkpoint that is loaded now; whether it is another one."""
        if (model := self._generator.loaded) is None:
            return False
        reader = self._session.id, self._session.way, model.path, model.step, model.checkpoint
        if reader == self._scored_by:
            return False
        self._scored = dict(self._session.scores(model.checkpoint))
        self._scored_by, self._explained = reader, None
        return True

    def _lacks_colours(self, node: int) -> bool:
        """Whether it is complete, and neither recorded nor scored."""
        if node in self._scored or self._is_recorded(node):
            return False
        found = self._session.text.tree.nodes.get(node)
        return bool(found and found.reason and found.text)

    def _is_recorded(self, node: int) -> bool:
        if node not in self._recorded and colours_of(self._session.text, node):
            self._recorded.add(node)
        return node in self._recorded

    # --- one turn -------------------------------------------------------------------------------

    def explained(self, node: int | None) -> list[list[TokenDetail]]:
        """The tokens of a node that was explained, with their alternatives; empty where it was not."""
        return [self._explained[1]] if self._explained and self._explained[0] == node else []

    def explain(self, node: int, then: Callable[[], object]) -> bool:
        """Have a node explained, and call `then`; False where that cannot be now."""
        if self._generator.loaded is None or self._generator.generating:
            return False
        if self._asked is not None and self._asked.node == node and self._asked.explains:
            self._asked.then = then
            return True
        self._next = _Question(node, True, then)
        if self.asking:
            self.give_way()
        else:
            self._ask()
        return True

    # --- asking the model -----------------------------------------------------------------------

    def give_way(self, then: Callable[[], object] | None = None) -> None:
        """Let the model do something else: stop it, and call `then` as soon as it is ready."""
        self._after = then or self._after
        if self._asked is not None:
            if self._asked.then is None:
                self._unknown.append(self._asked.node)
            self._asked = None
            self._generator.cancel()

    def stop(self) -> None:
        """Ask nothing more, and do nothing with what is still answered."""
        self._unknown.clear()
        self._next = self._asked = self._after = None

    def _ask(self) -> None:
        if self.asking or not self._generator.ready or not (self._next or self._unknown):
            return
        question, self._next = self._next or self._question(self._unknown.pop()), None
        if question.node not in (tree := self._session.text.tree).nodes:
            return
        path, framed = tree.path(question.node), self._session.way == "chat"
        before = "" if framed else self._before(path)
        self._asked, self.asking = question, True
        self._generator.score(
            "" if framed else before + path[-1].text,
            lambda event: self._take(event, question),
            alternatives=10 if question.explains else 0,
            start=len(before),
            messages=messages_of(path) if framed else (),
        )

    def _question(self, node: int) -> _Question:
        """About its colours; the last turn is the one that is likely to be looked at, and is explained as well."""
        return _Question(node, explains=node == next(reversed(self._turns), None))

    def _take(self, event: ScoreProgress | Scored | Failed, question: _Question) -> None:
        if isinstance(event, ScoreProgress):
            question.details += event.details
            return
        self.asking = False
        if question is self._asked:
            self._asked = None
            self._keep(question, event)
        after, self._after = self._after, None
        if after is not None:
            after()
        self._ask()

    def _keep(self, question: _Question, event: Scored | Failed) -> None:
        node, records = question.node, list(map(record_of, question.details)) if isinstance(event, Scored) else []
        self._scored[node] = records
        self._unknown = [unknown for unknown in self._unknown if unknown != node]
        if self._generator.loaded and records:
            self._session.keep_score(node, self._generator.loaded.checkpoint, records)
        if node in self._turns and self._transcript.coloured:
            self._transcript.set_probabilities(self._turns[node], self.known(node))
        if isinstance(event, Scored) and question.explains:
            self._explained = node, question.details
        if question.then is not None and isinstance(event, Scored):
            question.then()
        elif question.then is not None and isinstance(event, Failed):
            self._report(event.message)
