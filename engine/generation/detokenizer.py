"""From tokens to text that may be shown: whole characters only, and no part of a stop string or of another's speech."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Sequence

from ...data.speakers.ending import SpeechEnd
from ...data.speakers.form import SpeechForm


class Detokenizer:
    """Takes the bytes of one token after another and returns the text that is certain to belong to the reply.

    A character whose bytes span tokens waits for its last byte; bytes that are no UTF-8 become U+FFFD. Text that may
    be the beginning of a stop string waits until it is known not to be one. `opening` stands before the first token;
    where tokens end words, a blank waits for the next word. With a `speech` the text is one in that form, and ends with
    it: what may be the next speaker's line waits in the same way, with the line breaks before it.
    """

    def __init__(
        self,
        stop: Sequence[str] = (),
        *,
        ends_words: bool = False,
        opening: str = "",
        speech: SpeechForm | None = None,
    ) -> None:
        self.stopped = False
        self.characters = 0  # that the last token added to the text, whether they wait or not
        self._stop = tuple(stop)
        self._speech_end = SpeechEnd(speech) if speech else None
        self._begins_line = speech is not None and speech.below  # whether the text that is kept does
        self._within_line = False  # of a speech: where no end begins before the next line or mark does
        self._kept = max((SpeechEnd.reach if speech else 0, *map(len, self._stop)))  # characters that were handed out
        self._ends_words = ends_words
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._text = opening  # what was handed out last, as far as a stop string may begin there, and what waits
        self._waiting = 0  # where the characters that wait begin
        self._given = len(opening)  # where those of the first token begin: before, no stop string ends
        self._uncounted = len(opening)  # that wait, and count as the first token's

    def resume(self, tokens: Iterable[bytes]) -> None:
        """Take in the first tokens of a reply that was cut off behind them, whose text was handed out up to `finish`.

        Bytes of a character that they did not complete wait for the rest, and so does the blank at their end where
        tokens end words. A stop string may have begun among them.
        """
        self._text += "".join(map(self._decoder.decode, tokens))
        self._hand_out(len(self._text) - max(self._last_blank(), self._begun_speech()))
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
        if end := self._find_speech_end(new):
            found.append(end)
        if found:
            self.stopped = True
            text = self._hand_out(min(found)[1])
            self._text, self._waiting = "", 0
            return text
        if len(self._text) <= self._given:
            return ""
        waiting = max(self._last_blank(), self._begun_speech(), *map(self._begun, self._stop), 0)
        return self._hand_out(len(self._text) - waiting)

    def finish(self, whole: bool = False) -> str:
        """The text that still waits. The bytes of a character that was never completed are dropped.

        Of a speech that was cut off, what may be the next speaker's line is not handed out; of a `whole` one only the
        line breaks at its end are not.
        """
        self._decoder.reset()
        if self._speech_end and whole:
            return self._hand_out(self._speech_end.without_breaks(self._text))
        return self._hand_out(len(self._text) - max(self._last_blank(), self._begun_speech()))

    def _hand_out(self, end: int) -> str:
        """The waiting characters before `end`; of what was handed out, only what may begin an end is kept."""
        text = self._text[self._waiting : end]
        self._waiting = max(self._waiting, end)
        forgotten = max(0, self._waiting - self._kept)
        self._begins_line = self._begins_line and not forgotten
        self._text = self._text[forgotten:]
        self._waiting -= forgotten
        self._given = max(0, self._given - forgotten)
        return text

    def _last_blank(self) -> int:
        """How many waiting blanks, one at most, only stand there because a word ended."""
        return int(self._ends_words and self._text.endswith(" ", self._waiting))

    def _find_speech_end(self, new: str) -> tuple[int, int] | None:
        """The end of the speech that became complete with the characters `new`, and where the speech ends before it."""
        if self._speech_end is None or (self._within_line and "\n" not in new and "<" not in new):
            return None
        self._within_line = False
        return self._speech_end.find(self._text, max(self._given, len(self._text) - len(new)), self._begins_line)

    def _begun_speech(self) -> int:
        """How many characters at the end of the text may belong to the next speaker's line, or stand before it."""
        if self._speech_end is None or self._within_line:
            return 0
        begun = self._speech_end.begun(self._text, self._begins_line)
        self._within_line = bool(self._text) and not begun
        return begun

    def _find(self, stop: str) -> int:
        """Where `stop` stands, with its end among the tokens that were fed; -1 for nowhere."""
        return self._text.find(stop, max(0, self._given - len(stop) + 1))

    def _begun(self, stop: str) -> int:
        """How many characters at the end of the text may be the beginning of `stop`."""
        longest = min(len(stop) - 1, len(self._text))
        return next((n for n in range(longest, 0, -1) if self._text.endswith(stop[:n])), 0)
