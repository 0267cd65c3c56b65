"""The replies to one prompt, written one below the other."""

from __future__ import annotations

from ..engine.requests import TokenDetail
from .widgets.transcript import Transcript


class Replies:
    """Streams `count` replies, which come all at once, into the transcript.

    Only the first that is not complete streams on the screen: what has come of the others waits, and is written below
    it as soon as it has ended. So nothing that stands there ever moves, and each can be read from its beginning.
    """

    def __init__(self, transcript: Transcript, count: int) -> None:
        self._transcript = transcript
        self._texts = [""] * count  # what waits of each
        self._ends: dict[int, str] = {}  # the status line of each that is complete
        self._shown = 0  # the one that streams
        self.details: list[list[TokenDetail]] = [[] for _ in range(count)]
        self._begin()

    @property
    def count(self) -> int:
        """How many replies there are to be."""
        return len(self._texts)

    @property
    def complete(self) -> bool:
        """Whether nothing more comes."""
        return self._shown == self.count

    def add(self, sample: int, text: str, details: tuple[TokenDetail, ...]) -> None:
        """A piece of reply number `sample`, counted from 0."""
        self.details[sample] += details
        if sample == self._shown:
            self._transcript.append(text)
        else:
            self._texts[sample] += text

    def end(self, sample: int, status: str) -> None:
        """Reply number `sample` is complete."""
        self._ends[sample] = status
        while self._shown in self._ends:
            self._transcript.end_turn(self._ends[self._shown])
            self._shown += 1
            if self._shown < self.count:
                self._begin()

    def break_off(self, sentence: str) -> None:
        """None of them goes on; what has come of each is kept, and `sentence` says why there is no more."""
        waiting = [sample for sample in range(self._shown + 1, self.count) if self._texts[sample]]
        for sample in waiting:
            self._transcript.end_turn(self._ends.get(self._shown, ""))
            self._shown = sample
            self._begin()
        self._transcript.end_turn(sentence)
        self._shown = self.count

    def _begin(self) -> None:
        heading = f"sample {self._shown + 1} of {self.count}" if self.count > 1 else ""
        self._transcript.begin_turn("model", self._texts[self._shown], heading=heading, further=self._shown > 0)
