"""The replies to one prompt while they come."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..engine.requests import TokenDetail
from .placed_tokens import coloured
from .reply_words import heading_of
from .widgets.transcript import Transcript


class Replies:
    """Streams the replies to one prompt, `count` at once, one below the other into the transcript.

    Only the first that is not complete streams on the screen; the text of the others is kept and written below it as
    soon as it has ended. So nothing on the screen ever moves, and each can be read from its beginning.
    """

    def __init__(
        self,
        transcript: Transcript,
        prompt: str,
        nodes: Sequence[int],
        before: int,
        place: Callable[[int, int], None],
    ) -> None:
        """The replies of `nodes`, beside those that the prompt has got `before`.

        `place` is called with a node and the number of its turn when that begins in the transcript.
        """
        self._transcript = transcript
        self._before, self._place = before, place
        self.nodes, count = nodes, len(nodes)
        self.prompt = prompt
        self._texts = [""] * count  # of each, what is not written yet
        self._status: dict[int, str] = {}  # the status line of each that is complete
        self._shown = 0  # the one that streams
        self.details: list[list[TokenDetail]] = [[] for _ in range(count)]
        self._begin()

    @property
    def count(self) -> int:
        """How many replies were asked for."""
        return len(self._texts)

    @property
    def complete(self) -> bool:
        """Whether all of them have ended."""
        return self._shown == self.count

    def add(self, sample: int, text: str, details: tuple[TokenDetail, ...]) -> None:
        """A piece of reply number `sample`, counted from 0."""
        self.details[sample] += details
        if sample == self._shown:
            self._transcript.append(text, coloured(details))
        else:
            self._texts[sample] += text

    def end(self, sample: int, status: str) -> None:
        """Reply number `sample` is complete."""
        self._status[sample] = status
        while self._shown in self._status:
            self._transcript.end_turn(self._status[self._shown])
            self._shown += 1
            if self._shown < self.count:
                self._begin()

    def fail(self, sentence: str) -> None:
        """None of them can go on: write what has arrived of each, and `sentence`, which says why it ends there."""
        unwritten = [sample for sample in range(self._shown + 1, self.count) if self._texts[sample]]
        for sample in unwritten:
            self._transcript.end_turn(self._status.get(self._shown, ""))
            self._shown = sample
            self._begin()
        self._transcript.end_turn(sentence)
        self._shown = self.count

    def _begin(self) -> None:
        heading = heading_of(self._before + self._shown, self._before + self.count)
        shown = self._shown
        turn = self._transcript.begin_turn("model", heading=heading, further=shown > 0)
        self._transcript.append(self._texts[shown], coloured(self.details[shown]))
        self._place(self.nodes[shown], turn)
