"""One token per UTF-8 byte: no text is unknown, but texts become long."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from .tokenizer import SURROGATES, Tokenizer, UnknownCharacterError, check_range, left_out
from .tokenizer_json import BYTE_LEVEL, bpe_model, byte_characters, document, same_ids


class ByteTokenizer(Tokenizer):
    """One token per UTF-8 byte; the id is the byte's value."""

    kind = "byte"
    vocab_size = 256

    @classmethod
    def recognise(cls, content: Mapping[str, Any]) -> ByteTokenizer | None:
        """The tokenizer of a tokenizer.json, None where it is of another kind."""
        tokenizer = cls()
        return tokenizer if same_ids(content, tokenizer.to_huggingface()) else None

    @property
    def fingerprint(self) -> str:
        """A constant: there is only one such tokenizer."""
        return hashlib.sha256(b"byte").hexdigest()

    def _encode_text(self, text: str) -> array[int]:
        try:
            return array("B", text.encode())
        except UnicodeEncodeError:
            raise UnknownCharacterError(SURROGATES.intersection(text)) from None

    def drop_unknown(self, text: str) -> tuple[str, Counter[str]]:
        """Leave out lone surrogates, which have no UTF-8 form."""
        return left_out(text, SURROGATES.intersection(text))

    def decode(self, ids: Sequence[int]) -> str:
        """The bytes read as UTF-8."""
        check_range(ids, self.vocab_size)
        return bytes(ids).decode("utf-8", "replace")

    def token_bytes(self, token: int) -> bytes:
        """The byte itself."""
        check_range([token], self.vocab_size)
        return bytes([token])

    def safe_cut(self, text: str) -> int:
        """Anywhere."""
        return len(text)

    def to_huggingface(self) -> dict[str, Any]:
        """Byte-level BPE without merges; each byte is written as one printable character."""
        vocabulary = {character: byte for byte, character in enumerate(byte_characters())}
        return document(bpe_model(vocabulary), BYTE_LEVEL, BYTE_LEVEL)
