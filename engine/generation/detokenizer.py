"""From tokens to text that may be shown: whole characters only, and never a part of a stop string."""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class Detokenizer:
    """Takes the bytes of one token after another and returns the text that is certain to belong to the reply.

    A character whose bytes span tokens waits for its last byte; bytes that are no UTF-8 become U+FFFD. Text that may
    be the beginning of a stop string waits until it is known not to be one. `opening` stands before the first token;
    where tokens end words, a blank waits for the next word.
    """

    def __init__(self, stop: Sequence[str] = (), *, ends_words: bool = False, opening: str = "") -> None:
        self.stopped = False
        self._stop = tuple(stop)
        self._ends_words = ends_words
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._waiting = opening
        self._unwritten = len(opening)  # characters of the opening that still wait: they alone are no stop string

    def feed(self, token: bytes) -> str:
        """The text that became certain with `token`, often none; sets `stopped` where a stop string is complete."""
        self._waiting += self._decoder.decode(token)
        # the stop string that is complete first ends the text: so it does not matter how characters fall into tokens
        found = [(at + len(stop), at) for stop in self._stop if (at := self._find(stop)) >= 0]
        if found:
            self.stopped = True
            text = self._waiting[: min(found)[1]]
            self._waiting = ""
            return text
        if len(self._waiting) <= self._unwritten:
            return ""
        blank = 1 if self._ends_words and self._waiting.endswith(" ") else 0
        return self._release(len(self._waiting) - max(blank, *map(self._begun, self._stop), 0))

    def finish(self) -> str:
        """The text that still waits. The bytes of a character that was never completed are dropped."""
        self._decoder.reset()
        if self._ends_words:
            self._waiting = self._waiting.removesuffix(" ")
        return self._release(len(self._waiting))

    def _release(self, count: int) -> str:
        text, self._waiting = self._waiting[:count], self._waiting[count:]
        self._unwritten = max(0, self._unwritten - count)
        return text

    def _find(self, stop: str) -> int:
        """Where `stop` stands in the waiting text, not within the opening; -1 for nowhere."""
        return self._waiting.find(stop, max(0, self._unwritten - len(stop) + 1))

    def _begun(self, stop: str) -> int:
        """How many characters at the end of the waiting text may be the beginning of `stop`."""
        longest = min(len(stop) - 1, len(self._waiting))
        return next((n for n in range(longest, 0, -1) if self._waiting.endswith(stop[:n])), 0)
