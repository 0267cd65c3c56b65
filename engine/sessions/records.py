"""What is kept of each token of a text: packed for the file, and cut where a text is cut."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import nan

from ..requests import TokenDetail

UNKNOWN = -1


@dataclass(slots=True)  # frozen, reading those of a long text would take twice as long
class TokenRecord:
    """What is kept of a token that was explained: all but its alternatives, which the model can give again."""

    token: int  # -1: stands for `length` characters whose tokens are not known
    probability: float  # under the model
    drawn_probability: float  # after penalties, temperature and filters
    rank: int
    entropy: float  # nats
    length: int = UNKNOWN  # in characters of the text; 0 where a later token completes its character; -1 if not known

    @property
    def known(self) -> bool:
        """Whether it is about one token."""
        return self.token != UNKNOWN


_RECORD = struct.Struct("<iffifi")  # the fields of TokenRecord in their order
_FIRST_RECORD = struct.Struct("<iffif")  # of the first version, which had no length


def pack(records: Iterable[TokenRecord]) -> bytes:
    """The records one behind the other, 24 bytes each: packed pieces may be joined."""
    return b"".join(
        _RECORD.pack(r.token, r.probability, r.drawn_probability, r.rank, r.entropy, r.length) for r in records
    )


def unpack(packed: bytes) -> list[TokenRecord]:
    """The records of `pack`. Raises ValueError for bytes that are none."""
    if len(packed) % _RECORD.size:
        raise ValueError(f"{len(packed)} bytes are no records of {_RECORD.size}")
    return [TokenRecord(*fields) for fields in _RECORD.iter_unpack(packed)]


def with_lengths(packed: bytes, text: str) -> bytes:
    """Records of the first version as `pack` writes them now: with lengths where each token is a character."""
    count, rest = divmod(len(packed), _FIRST_RECORD.size)
    if rest:
        return b""
    length = 1 if count == len(text) else UNKNOWN
    return b"".join(_RECORD.pack(*fields, length) for fields in _FIRST_RECORD.iter_unpack(packed))


def record_of(detail: TokenDetail) -> TokenRecord:
    """What is kept of the details of a token."""
    return TokenRecord(
        detail.token, detail.probability, detail.drawn_probability, detail.rank, detail.entropy, detail.characters
    )


def unknown(length: int) -> TokenRecord:
    """Stands for characters whose tokens are not known."""
    return TokenRecord(UNKNOWN, nan, nan, 0, nan, length)


def cut(records: Sequence[TokenRecord], start: int, stop: int, size: int) -> list[TokenRecord]:
    """The records of characters `start` to `stop` of a text of `size` characters, whose records these are.

    What is left of a token that is cut, and the end of a text that they do not reach, is one record that is not
    `known`. Where a length is not known, the whole text has its records and no part of it has any.
    """
    if any(record.length == UNKNOWN for record in records):
        return list(records) if (start, stop) == (0, size) else []
    kept: list[TokenRecord] = []
    at = 0
    for record in records:
        end = at + record.length
        if start <= at and end <= stop and (at < stop or stop == size):
            kept.append(record)
        elif at < stop and end > start:
            kept.append(unknown(min(end, stop) - max(at, start)))
        at = end
    if kept and at < stop:
        kept.append(unknown(stop - max(at, start)))
    return kept
