"""One token per character of an alphabet, with a policy for the characters that are not in it."""

from __future__ import annotations

import hashlib
import sys
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from .added_tokens import AddedTokens
from .tokenizer import (
    SURROGATES,
    Tokenizer,
    TokenizerError,
    UnknownCharacterError,
    UnknownCharacters,
    check_range,
    left_out,
    typecode,
)
from .tokenizer_json import bpe_model, document, same_ids

UNKNOWN_TOKEN = "<unk>"
REPLACEMENT = "\ufffd"  # what the unknown token is decoded to
_POLICY = "unknown_characters"  # its key in tokenizer_config.json


class CharTokenizer(Tokenizer):
    """One token per character of an alphabet; the id is the character's index in it.

    With `unknown` "token", one more id after the last is that of every character that is not in the alphabet.
    """

    kind = "char"

    def __init__(self, alphabet: str, unknown: UnknownCharacters = "drop") -> None:
        if not alphabet:
            raise TokenizerError("an alphabet needs at least one character; choose a text that is not empty")
        if surrogates := SURROGATES.intersection(alphabet):
            raise UnknownCharacterError(surrogates)
        self.alphabet = alphabet
        self.unknown = unknown
        self._texts = [*alphabet]
        if unknown == "token":
            self.special_tokens = {UNKNOWN_TOKEN: len(alphabet)}  # which a text cannot name
            self._texts.append(REPLACEMENT)
        self.vocab_size = len(self._texts)
        self._known = frozenset(alphabet)
        self._code_points = {ord(character): token for token, character in enumerate(alphabet)}
        # str.translate makes a string whose code points are the ids, and a fixed-width encoding turns that into the
        # bytes of an array: the loop over the characters runs in C.
        order = "le" if sys.byteorder == "little" else "be"
        self._typecode = typecode(self.vocab_size)
        self._encoding = {"B": "latin-1", "H": f"utf-16-{order}", "I": f"utf-32-{order}"}[self._typecode]

    @classmethod
    def recognise(cls, content: Mapping[str, Any], settings: Mapping[str, Any]) -> CharTokenizer | None:
        """The tokenizer of a tokenizer.json with its settings, None where it is of another kind."""
        try:
            vocabulary = sorted(content["model"]["vocab"], key=content["model"]["vocab"].__getitem__)
            if content["model"].get("unk_token") is not None:
                tokenizer = cls("".join(vocabulary[:-1]), "token")
            else:
                tokenizer = cls("".join(vocabulary), "refuse" if settings.get(_POLICY) == "refuse" else "drop")
        except (TypeError, AttributeError, TokenizerError):
            return None
        return tokenizer if same_ids(content, tokenizer.to_huggingface()) else None

    @property
    def fingerprint(self) -> str:
        """The hash of the alphabet and the policy for unknown characters."""
        return hashlib.sha256(f"char {self.unknown} {self.alphabet}".encode()).hexdigest()

    @cached_property
    def added_tokens(self) -> AddedTokens:
        """None."""
        return AddedTokens({})

    def _encode_text(self, text: str) -> array[int]:
        code_points = self._code_points
        if unknown := set(text) - self._known:
            if self.unknown != "token":
                raise UnknownCharacterError(unknown)
            code_points = code_points | dict.fromkeys(map(ord, unknown), len(self.alphabet))
        return array(self._typecode, text.translate(code_points).encode(self._encoding, "surrogatepass"))

    def drop_unknown(self, text: str) -> tuple[str, Counter[str]]:
        """Leave out what is not in the alphabet, unless there is an unknown token."""
        return (text, Counter()) if self.unknown == "token" else left_out(text, set(text) - self._known)

    def count_unknown(self, text: str) -> int:
        """Those that the unknown token stands for as well."""
        return sum(character not in self._known for character in text)

    def decode(self, ids: Sequence[int]) -> str:
        """The characters with those ids; U+FFFD for the unknown token."""
        check_range(ids, self.vocab_size)
        return "".join(map(self._texts.__getitem__, ids))

    def token_bytes(self, token: int) -> bytes:
        """One character, in UTF-8."""
        check_range([token], self.vocab_size)
        return self._texts[token].encode()

    def safe_cut(self, text: str) -> int:
        """Anywhere."""
        return len(text)

    def to_huggingface(self) -> dict[str, Any]:
        """BPE without merges, which splits a text into characters; the Fuse decoder joins them.

        BPE drops unknown characters silently, so with an unknown token the model is WordLevel over single characters.
        """
        vocabulary = {character: token for token, character in enumerate(self.alphabet)}
        if self.unknown != "token":
            return document(bpe_model(vocabulary), None, {"type": "Fuse"})
        words = {"type": "WordLevel", "vocab": vocabulary | dict(self.special_tokens), "unk_token": UNKNOWN_TOKEN}
        characters = {"type": "Split", "pattern": {"Regex": r"[\s\S]"}, "behavior": "Isolated", "invert": False}
        shown = {"type": "Replace", "pattern": {"String": UNKNOWN_TOKEN}, "content": REPLACEMENT}
        return document(words, characters, {"type": "Sequence", "decoders": [shown, {"type": "Fuse"}]})

    def settings(self) -> dict[str, Any]:
        """With the policy for unknown characters, for which `tokenizer.json` has no field."""
        return super().settings() | {_POLICY: self.unknown}
