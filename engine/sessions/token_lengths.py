"""How many characters of a text each of its tokens is.

A token may end within a character, whose remaining bytes are in the next ones: the character counts for the token that
completes it, and those before have no length. So may a token be longer than what is shown of it, where a stop text
ended the reply.
"""

from __future__ import annotations

import codecs
import re
from collections import deque
from collections.abc import Iterable, Sequence

from ..requests import TokenDetail
from .records import TokenRecord, record_of, unknown

_BYTES = re.compile("(?:<[0-9A-F]{2}>)+")  # how the details name bytes that are no whole character


class TokenLengths:
    """Takes a text and the details of its tokens as they come; returns the record of each whose place is certain."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._text = ""  # that has no token yet
        self._waiting: deque[TokenDetail] = deque()
        self._begun = False

    def add(self, text: str, details: Iterable[TokenDetail] = ()) -> list[TokenRecord]:
        """The next piece of the text, and the details of the next tokens; either may come before the other."""
        self._text += text
        self._waiting += details
        records: list[TokenRecord] = []
        at = 0
        while self._waiting and (length := self._length(self._waiting[0], at)) is not None:
            records.append(record_of(self._waiting.popleft(), length))
            at += length
            self._begun = True
        self._text = self._text[at:]
        return records

    def finish(self) -> list[TokenRecord]:
        """The text is complete: what is left of it is no whole token, and tokens of which nothing is shown go."""
        rest, self._text = self._text, ""
        self._waiting.clear()
        return [unknown(len(rest))] if rest else []

    def _length(self, detail: TokenDetail, at: int) -> int | None:
        """The characters of the next token, which begins at `at`; None while they have not come."""
        state, may_come = self._decoder.getstate(), False
        for raw in _readings(detail):
            self._decoder.setstate(state)
            shown = self._decoder.decode(raw)
            if self._text.startswith(shown, at):
                return len(shown)
            if not self._begun and self._text.startswith(f" {shown}"):
                return 1 + len(shown)  # a blank that stands before the first word of a reply is in no token
            if len(self._text) - at < len(shown) and shown.startswith(self._text[at:]):
                may_come = True
                break
        self._decoder.setstate(state)
        return None if may_come else 0  # a token that stands for no text


def _readings(detail: TokenDetail) -> list[bytes]:
    """What a token's text may stand for: itself, or the bytes that it names."""
    readings = [detail.text.encode("utf-8", "replace")]
    if _BYTES.fullmatch(detail.text):
        named = bytes.fromhex(detail.text.replace("<", "").replace(">", ""))
        try:
            named.decode()
        except UnicodeDecodeError:
            readings.append(named)
    return readings


def places(text: str, details: Sequence[TokenDetail]) -> list[tuple[int, int]]:
    """Where each token of a whole text begins and ends; the first ones may have no details. Empty where they differ."""
    for offset in (0, max(0, len(text) - _decoded_length(details))):
        lengths = TokenLengths()
        records = lengths.add(text[offset:], details)
        if len(records) == len(details) and not lengths.finish():
            break
    else:
        return []
    ends: list[tuple[int, int]] = []
    for record in records:
        ends.append((offset, offset + record.length))
        offset += record.length
    return ends


def _decoded_length(details: Iterable[TokenDetail]) -> int:
    raw = b"".join(_readings(detail)[-1] for detail in details)
    return len(raw.decode("utf-8", "replace"))
