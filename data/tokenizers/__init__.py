"""Text to token ids and back: one token per character, or one per UTF-8 byte.

A tokenizer lies on disk as `tokenizer.json` in the form that Hugging Face's libraries read with identical ids; reading
it back needs none of them. Any Unicode text survives the round trip. Lone surrogates are refused: they are halves of
characters and have no UTF-8 form.
"""

from __future__ import annotations

import json
import sys
from abc import ABC, abstractmethod
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from ..atomic import write_atomic

TokenizerKind = Literal["char", "byte", "gpt2", "bpe", "huggingface"]

_SURROGATES = frozenset(map(chr, range(0xD800, 0xE000)))
_NAMED = 8  # unknown characters that an error message names one by one


class TokenizerError(ValueError):
    """A tokenizer cannot be built or read; the message says what was wrong and what to do."""


class UnknownCharacterError(TokenizerError):
    """A text has characters that the tokenizer has no token for; `characters` holds them, sorted."""

    def __init__(self, characters: Iterable[str]) -> None:
        self.characters = sorted(characters)
        named = ", ".join(map(_name, self.characters[:_NAMED]))
        more = len(self.characters) - _NAMED
        super().__init__(
            f"the tokenizer has no token for {named}{f' and {more:,} more' if more > 0 else ''}; leave "
            f"{'it' if len(self.characters) == 1 else 'them'} out"
            + ("" if _SURROGATES.issuperset(self.characters) else ", or train with the byte tokenizer")
        )


class Tokenizer(ABC):
    """Maps text to ids in [0, vocab_size) and back. The order of the vocabulary never changes."""

    kind: TokenizerKind
    vocab_size: int

    @abstractmethod
    def encode(self, text: str) -> array[int]:
        """The ids of `text` in the narrowest of the typecodes B, H and I. Raises UnknownCharacterError."""

    @abstractmethod
    def drop_unknown(self, text: str) -> tuple[str, Counter[str]]:
        """The part of `text` that can be encoded, and how often each character was left out."""

    @abstractmethod
    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`; bytes that are not UTF-8 become U+FFFD. Raises TokenizerError for an id out of range."""

    @abstractmethod
    def token_bytes(self, token: int) -> bytes:
        """The UTF-8 bytes of one token: for incremental decoding, and for loss in bits per byte."""

    @abstractmethod
    def to_huggingface(self) -> dict[str, Any]:
        """The content of `tokenizer.json`."""

    def save(self, folder: Path) -> None:
        """Write `tokenizer.json` and `tokenizer_config.json` into `folder`, for AutoTokenizer of transformers."""
        settings = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False}
        write_atomic(folder / "tokenizer.json", json.dumps(self.to_huggingface(), ensure_ascii=False, indent=1))
        write_atomic(folder / "tokenizer_config.json", json.dumps(settings, indent=1))


class CharTokenizer(Tokenizer):
    """One token per character of an alphabet; the id is the character's place in it."""

    kind = "char"

    def __init__(self, alphabet: str) -> None:
        if not alphabet:
            raise TokenizerError("an alphabet needs at least one character; choose a text that is not empty")
        if surrogates := _SURROGATES.intersection(alphabet):
            raise UnknownCharacterError(surrogates)
        self.alphabet = alphabet
        self.vocab_size = len(alphabet)
        self._known = frozenset(alphabet)
        self._code_points = {ord(character): token for token, character in enumerate(alphabet)}
        # Translated, a text is a string whose code points are the ids; a fixed-width encoding then lays them out as
        # an array. The loop over the characters runs in C.
        order = "le" if sys.byteorder == "little" else "be"
        if self.vocab_size <= 1 << 8:
            self._typecode, self._encoding = "B", "latin-1"
        elif self.vocab_size <= 1 << 16:
            self._typecode, self._encoding = "H", f"utf-16-{order}"
        else:
            self._typecode, self._encoding = "I", f"utf-32-{order}"

    def encode(self, text: str) -> array[int]:
        """Each character's place in the alphabet."""
        if unknown := set(text) - self._known:
            raise UnknownCharacterError(unknown)
        ids = text.translate(self._code_points).encode(self._encoding, "surrogatepass")
        return array(self._typecode, ids)

    def drop_unknown(self, text: str) -> tuple[str, Counter[str]]:
        """Leave out what is not in the alphabet."""
        return _drop(text, set(text) - self._known)

    def decode(self, ids: Sequence[int]) -> str:
        """The characters at those places."""
        _check_range(ids, self.vocab_size)
        return "".join(map(self.alphabet.__getitem__, ids))

    def token_bytes(self, token: int) -> bytes:
        """One character, in UTF-8."""
        _check_range([token], self.vocab_size)
        return self.alphabet[token].encode()

    def to_huggingface(self) -> dict[str, Any]:
        """BPE without merges splits a text into characters; Fuse joins them with nothing between."""
        return _huggingface({c: token for token, c in enumerate(self.alphabet)}, None, {"type": "Fuse"})


class ByteTokenizer(Tokenizer):
    """One token per UTF-8 byte; the id is the byte's value."""

    kind = "byte"
    vocab_size = 256

    def encode(self, text: str) -> array[int]:
        """The bytes of the text in UTF-8."""
        try:
            return array("B", text.encode())
        except UnicodeEncodeError:
            raise UnknownCharacterError(_SURROGATES.intersection(text)) from None

    def drop_unknown(self, text: str) -> tuple[str, Counter[str]]:
        """Leave out lone surrogates, which have no bytes."""
        return _drop(text, _SURROGATES.intersection(text))

    def decode(self, ids: Sequence[int]) -> str:
        """The bytes read as UTF-8."""
        _check_range(ids, self.vocab_size)
        return bytes(ids).decode("utf-8", "replace")

    def token_bytes(self, token: int) -> bytes:
        """The byte itself."""
        _check_range([token], self.vocab_size)
        return bytes([token])

    def to_huggingface(self) -> dict[str, Any]:
        """Byte-level BPE without merges, where one printable character stands for each byte."""
        byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
        return _huggingface({c: byte for byte, c in enumerate(_byte_characters())}, byte_level, byte_level)


def build_tokenizer(kind: TokenizerKind, text: str) -> Tokenizer:
    """The tokenizer of that kind for a corpus: `char` takes the sorted distinct characters of `text` as its alphabet.

    Raises TokenizerError for an empty text or one with lone surrogates.
    """
    return ByteTokenizer() if kind == "byte" else CharTokenizer("".join(sorted(set(text))))


def load_tokenizer(folder: Path) -> Tokenizer:
    """Read `folder`/tokenizer.json. Raises TokenizerError where it is missing, damaged or of a kind not known here."""
    path = folder / "tokenizer.json"
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise TokenizerError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise TokenizerError(f"{path} is damaged: it is not JSON") from error
    try:
        model = document["model"]
        vocabulary = sorted(model["vocab"], key=model["vocab"].__getitem__)
        candidate = ByteTokenizer() if vocabulary == _byte_characters() else CharTokenizer("".join(vocabulary))
        if _essence(document) != _essence(candidate.to_huggingface()):
            raise ValueError
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise TokenizerError(f"{path} is neither a character nor a byte tokenizer, the two kinds known here") from error
    return candidate


def _huggingface(vocabulary: dict[str, int], pre_tokenizer: Any, decoder: Any) -> dict[str, Any]:
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": None,
        "decoder": decoder,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": vocabulary,
            "merges": [],
        },
    }


def _essence(document: dict[str, Any]) -> list[Any]:
    """What decides the ids: other libraries add or reorder fields when they write the file again."""
    model, parts = document["model"], (document["pre_tokenizer"], document["decoder"])
    return [
        document["normalizer"],
        document["added_tokens"],
        model["type"],
        model["merges"],
        model["vocab"],
        *(part and (part["type"], part.get("add_prefix_space"), part.get("use_regex")) for part in parts),
    ]


def _byte_characters() -> list[str]:
    """The character that stands for each byte in a byte-level vocabulary (GPT-2, encoder.py: bytes_to_unicode)."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]


def _drop(text: str, unknown: set[str] | frozenset[str]) -> tuple[str, Counter[str]]:
    if not unknown:
        return text, Counter()
    left_out = Counter(character for character in text if character in unknown)
    return text.translate(dict.fromkeys(map(ord, unknown))), left_out


def _check_range(ids: Sequence[int], vocab_size: int) -> None:
    if len(ids) and (min(ids) < 0 or max(ids) >= vocab_size):
        raise TokenizerError(f"the tokenizer has ids from 0 to {vocab_size - 1}, not {min(ids)} to {max(ids)}")


def _name(character: str) -> str:
    """How an error message shows a character: itself, or its number where a terminal would show nothing."""
    return f"'{character}'" if character.isprintable() and not character.isspace() else f"U+{ord(character):04X}"
