"""The bytes behind one token of a foreign vocabulary, as its decoder spells them."""

from __future__ import annotations

import re
from typing import Any

from .layout import bytes_of

_BYTE = re.compile("<0x([0-9A-Fa-f]{2})>")


def spelled_bytes(token: str, decoder: Any) -> bytes:
    """The UTF-8 bytes, perhaps of a part of a character, that `token` adds to a text that has begun.

    `decoder` is that part of tokenizer.json. What it does at the start of a text alone, as to strip a space, is left
    undone; without one, tokens are words with spaces between.
    """
    if not isinstance(decoder, dict):
        return f" {token}".encode()
    for step in decoder.get("decoders", [decoder]):
        kind = step.get("type")
        if kind == "ByteLevel":
            try:
                return bytes_of(token)
            except KeyError:  # an added token stands as it is
                return token.encode()
        if kind == "ByteFallback" and (byte := _BYTE.fullmatch(token)):
            return bytes([int(byte[1], 16)])
        if kind == "Replace" and "String" in step["pattern"]:
            token = token.replace(step["pattern"]["String"], step["content"])
        elif kind == "Metaspace":
            token = token.replace(step.get("replacement", "▁"), " ")
        elif kind == "BPEDecoder":
            token = token.replace(step.get("suffix", "</w>"), " ")
        elif kind == "WordPiece":
            prefix = step.get("prefix", "##")
            token = token.removeprefix(prefix) if token.startswith(prefix) else f" {token}"
    return token.encode()
