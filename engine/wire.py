"""One message, one line of JSON: how processes and files speak to each other.

A message is a frozen dataclass; the line carries its tag under a key such as "event". What does not fit is refused
with a SchemaError by whoever reads it, because neither side trusts the other's lines.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Generic, TypeVar

from ..data.storage.typed_json import SchemaError, from_plain, parse, to_plain

M = TypeVar("M")


class MessageCodec(Generic[M]):
    """Encodes and decodes the messages that may stand on a line of one kind of file or pipe; a tag tells them apart."""

    def __init__(self, key: str, **kinds: type[M]) -> None:
        self._key = key
        self._kinds = kinds
        self._tags = {kind: tag for tag, kind in kinds.items()}
        for kind in kinds.values():
            if any(field.name == key for field in dataclasses.fields(kind)):  # type: ignore[arg-type]
                raise TypeError(f"a field of {kind.__name__} has the name of the tag, '{key}'")

    def encode(self, message: M) -> str:
        """One line, newline included."""
        plain: dict[str, Any] = {self._key: self._tags[type(message)], **to_plain(message)}
        return json.dumps(plain, ensure_ascii=True, allow_nan=False, separators=(",", ":")) + "\n"

    def decode(self, line: str | bytes) -> M:
        """The message on `line`. Raises SchemaError for anything else, unknown tags included."""
        try:
            plain = parse(line)
        except (ValueError, RecursionError) as error:
            raise SchemaError(f"not a line of JSON: {line[:80]!r}") from error
        tag = plain.get(self._key) if isinstance(plain, dict) else None
        kind = self._kinds.get(tag) if isinstance(tag, str) else None
        if kind is None:
            raise SchemaError(f"unknown {self._key} {tag!r}")
        return from_plain(kind, plain, f"{self._key} {tag}")
