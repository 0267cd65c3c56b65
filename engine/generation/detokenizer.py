"""From tokens to text that may be shown: whole characters only, and never a part of a stop string."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Sequence


class Detokenizer:
    """Takes the bytes of one token after another and returns the text that is certain to belong to the reply.

    A character whose bytes span tokens waits for its last byte; bytes that are no UTF-8 become U+FFFD. Text that may
    be the beginning of a stop string waits until it is known not to be one. `opening` stands before the first token;
    where tokens end words, a blank waits for the next word.
    """

    def __init__(self, stop: Sequence[str] = (), *, ends_words: bool = False, opening: str = "") -> None:
        self.stopped = False
        self.characters = 0  # that the last token added to the text, whether they wait or not
        self._stop = tuple(stop)
        self._ends_words = ends_words
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._text = opening  # what was handed out last, as far as a stop string may begin there, and what waits
        self._waiting = 0  # where the characters that wait begin
        self._given = len(opening)  # where those of the first token begin: before, no stop string ends
        self._uncounted = len(opening)  # that wait, and count as the first token's

    def resume(self, tokens: Iterable[bytes]) -> None:
        """Take in the first tokens of a reply that ended after them: its text was handed out then, up to `finish`.

        Bytes of a character that they did not complete wait for the rest, and so does the blank at their end where
        tokens end words. A stop string may have begun among them.
        """
        self._text += "".join(map(self._decoder.decode, tokens))
        self._hand_out(len(self._text) - self._last_blank())
        self._given = len(self._text)
        self._uncounted = len(self._text) - self._waiting

    def feed(self, token: bytes) -> str:
        """The text that became certain with `token`, often none; sets `stopped` where a stop string is complete."""
        new = self._decoder.decode(token)
        self.characters = len(new) + self._uncounted if new else 0
        self._uncounted = 0 if new else self._uncounted
        self._text += new
        # the stop string that is complete first ends the text: so it does not matter how characters fall into tokens
        found = [(at + len(stop), at) for stop in self._stop if (at := self._find(stop)) >= 0]
        if found:
            self.stopped = True
            text = self._hand_out(min(found)[1])
            self._text, self._waiting = "", 0
            return text
        if len(self._text) <= self._given:
            return ""
        return self._hand_out(len(self._text) - max(self._last_blank(), *map(self._begun, self._stop), 0))

    def finish(self) -> str:
        """The text that still waits. The bytes of a character that was never completed are dropped."""
        self._decoder.reset()
        return self._hand_out(len(self._text) - self._last_blank())

    def _hand_out(self, end: int) -> str:
        """The waiting characters before `end`; of what was handed out, only what may begin a stop string is kept."""
        text = self._text[self._waiting : end]
        self._waiting = max(self._waiting, end)
        forgotten = max(0, self._waiting - max(map(len, self._stop), default=0))
        self._text = self._text[forgotten:]
        self._waiting -= forgotten
        self._given = max(0, self._given - forgotten)
        return text

    def _last_blank(self) -> int:
        """How many waiting blanks, one at most, only stand there because a word ended."""
        return int(self._ends_words and self._text.endswith(" ", self._waiting))

    def _find(self, stop: str) -> int:
        """Where `stop` stands, with its end among the tokens that were fed; -1 for nowhere."""
        return self._text.find(stop, max(0, self._given - len(stop) + 1))

    def _begun(self, stop: str) -> int:
        """How many characters at the end of the text may be the beginning of `stop`."""
        longest = min(len(stop) - 1, len(self._text))
        return next((n for n in range(longest, 0, -1) if self._text.endswith(stop[:n])), 0)
