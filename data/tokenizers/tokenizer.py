"""The interface of every tokenizer, its errors, and what several of them share."""

from __future__ import annotations

import json
import unicodedata
from abc import ABC, abstractmethod
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from ..storage.atomic import write_atomic
from ..storage.errors import UserError
from .added_tokens import AddedTokens
from .chat_templates import file_name

TokenizerKind = Literal["char", "byte", "gpt2", "bpe", "huggingface"]
UnknownCharacters = Literal["drop", "refuse", "token"]

SURROGATES = frozenset(map(chr, range(0xD800, 0xE000)))  # code points of UTF-16 that have no UTF-8 form
_NAMED = 8  # unknown characters that an error message names one by one


class TokenizerError(UserError, ValueError):
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
            + ("" if SURROGATES.issuperset(self.characters) else ", or train with the byte tokenizer")
        )


class Tokenizer(ABC):
    """Maps text to ids in [0, vocab_size) and back. The order of the vocabulary never changes.

    `begin` are the ids that a model expects before every text, `end_tokens` those at which a reply ends, `unknown` is
    what `filter_unknown` does with characters that have no token, and `special_tokens` maps the names of ids without
    text to these ids. Such a name within a text is encoded as its token, unless the text is literal, or every text is:
    `splits_special_tokens`, the setting split_special_tokens of a foreign model. Where a token `ends_words`, its text
    ends with the blank that stands before the next word, and that a text which ends with it does not have.
    """

    kind: TokenizerKind
    vocab_size: int
    begin: tuple[int, ...] = ()
    end_tokens: frozenset[int] = frozenset()
    unknown: UnknownCharacters = "drop"
    special_tokens: Mapping[str, int] = MappingProxyType({})
    splits_special_tokens: bool = False
    ends_words: bool = False
    roles: Mapping[str, int] = MappingProxyType({})  # the ids that a foreign model's files call bos, eos, pad and unk
    role_names: Mapping[str, str] = MappingProxyType({})  # tokens by the names that a template has, such as eos_token
    chat_templates: Mapping[str, str] = MappingProxyType({})  # Jinja, by names, as a foreign model's files have them

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """SHA-256, in hexadecimal, of everything that decides the ids of a text."""

    @cached_property
    def added_tokens(self) -> AddedTokens:
        """The tokens that a text can name."""
        return AddedTokens({} if self.splits_special_tokens else self.special_tokens)

    def encode(self, text: str, literal: bool = False) -> array[int]:
        """The ids of `text` in the narrowest of the typecodes B, H and I, without those that a model expects around it.

        With `literal` the names of special tokens are text like any other. Raises UnknownCharacterError.
        """
        if literal or not self.added_tokens:
            return self._encode_text(text)
        ids = array(typecode(self.vocab_size))
        for part, token in self.added_tokens.split(text):
            ids.extend(self._encode_text(part))
            if token is not None:
                ids.append(token)
        return ids

    @abstractmethod
    def _encode_text(self, text: str) -> array[int]:
        """The ids of a text in which no name is a token."""

    @abstractmethod
    def drop_unknown(self, text: str) -> tuple[str, Counter[str]]:
        """The part of `text` that can be encoded, and how often each character was left out."""

    @abstractmethod
    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids` without special tokens; bytes that are not UTF-8 become U+FFFD.

        Raises TokenizerError for an id out of range.
        """

    @abstractmethod
    def token_bytes(self, token: int) -> bytes:
        """The UTF-8 bytes of one token: for incremental detokenization, and for loss in bits per byte.

        Special tokens have none. Raises TokenizerError for an id out of range.
        """

    @abstractmethod
    def safe_cut(self, text: str) -> int:
        """The last position at which `text` can be cut: both parts encoded give the ids of the whole. 0 for none.

        That holds whatever follows `text`, and with and without `literal`.
        """

    @abstractmethod
    def to_huggingface(self) -> dict[str, Any]:
        """The content of `tokenizer.json`."""

    def settings(self) -> dict[str, Any]:
        """The content of `tokenizer_config.json`."""
        return {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False}

    def filter_unknown(self, text: str) -> tuple[str, Counter[str]]:
        """`text` with the policy `unknown` applied, and how often each character was left out.

        `drop` leaves out characters without a token, `refuse` raises UnknownCharacterError, `token` keeps all of them.
        """
        known, left_out = self.drop_unknown(text)
        if left_out and self.unknown == "refuse":
            raise UnknownCharacterError(left_out)
        return known, left_out

    def composed(self, text: str) -> str:
        """`text` with its marks and letters composed (Unicode's NFC), where more of it has a token so."""
        other = unicodedata.normalize("NFC", text)
        return other if other != text and self.count_unknown(other) < self.count_unknown(text) else text

    def count_unknown(self, text: str) -> int:
        """How many characters of `text` have no token of their own."""
        return self.drop_unknown(text)[1].total()

    @property
    def new_line(self) -> int | None:
        """The id of a line break; None for a tokenizer that has none or drops line breaks."""
        known, _ = self.drop_unknown("\n")
        ids = self.encode(known)
        return ids[0] if ids and ids[0] not in self.special_tokens.values() else None

    def save(self, folder: Path) -> None:
        """Write `tokenizer.json` and `tokenizer_config.json` into `folder`, for AutoTokenizer of transformers.

        Makes the folder but none above it: that of a run which was deleted stays so. Raises OSError.
        """
        named = self.role_names if self.chat_templates else {}
        files: dict[str, str | bytes] = {
            "tokenizer.json": self._file,
            "tokenizer_config.json": json.dumps(self.settings() | dict(named), indent=1),
        }
        for name, template in self.chat_templates.items():
            if file := file_name(name):
                files[file] = template.encode("utf-8", "replace")
        self._write(folder, files)

    @staticmethod
    def _write(folder: Path, files: Mapping[str, str | bytes]) -> None:
        """Write files by their names, which may have one folder of their own."""
        folder.mkdir(exist_ok=True)
        for name, content in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            write_atomic(folder / name, content, make_folder=False)

    @cached_property
    def _file(self) -> bytes:
        """The text of tokenizer.json, made once for all checkpoints."""
        return json.dumps(self.to_huggingface(), ensure_ascii=False, indent=1).encode()


def refuse_surrogates(text: str) -> None:
    """Raise UnknownCharacterError where `text` has lone surrogates, which have no UTF-8 form."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UnknownCharacterError(SURROGATES.intersection(text)) from None


def left_out(text: str, unknown: set[str] | frozenset[str]) -> tuple[str, Counter[str]]:
    """`text` without the characters of `unknown`, and how often each of them was in it."""
    if not unknown:
        return text, Counter()
    counts = Counter(character for character in text if character in unknown)
    return text.translate(dict.fromkeys(map(ord, unknown))), counts


def check_range(ids: Sequence[int], vocab_size: int) -> None:
    """Raise TokenizerError unless all `ids` lie in [0, vocab_size)."""
    if len(ids) and (min(ids) < 0 or max(ids) >= vocab_size):
        raise TokenizerError(f"the tokenizer has ids from 0 to {vocab_size - 1}, not {min(ids)} to {max(ids)}")


def typecode(vocab_size: int) -> Literal["B", "H", "I"]:
    """The narrowest array type that holds every id below `vocab_size`."""
    return "B" if vocab_size <= 1 << 8 else "H" if vocab_size <= 1 << 16 else "I"


def _name(character: str) -> str:
    """How an error message shows a character: as itself, or by its code point where it is invisible."""
    return f"'{character}'" if character.isprintable() and not character.isspace() else f"U+{ord(character):04X}"
