"""Byte-level byte-pair encoding (BPE) with GPT-2's pre-tokenization pattern, encoded by tiktoken.

A text is split into words, numbers, punctuation and whitespace; in each of them the pair of neighbours with the lowest
rank is merged into one token until no pair has a rank (Sennrich et al. 2016, Radford et al. 2019). tiktoken looks up
the rank of the joined bytes where the `tokenizers` library looks up the pair itself; `ranks_follow_merges` says when
both give the same ids.
"""

from __future__ import annotations

import hashlib
import re
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from .tokenizer import SURROGATES, Tokenizer, check_range, left_out, refuse_surrogates, typecode
from .tokenizer_json import BYTE_LEVEL, bpe_model, byte_characters, bytes_of, document

END_OF_TEXT = "<|endoftext|>"
GPT2_FINGERPRINT = "01c92369c2690162b88f7d1886dae3ddc5e058b008bf86d7cdcbb3ef420e385a"

Merges = Sequence[tuple[bytes, bytes]]

MAX_TOKEN_LENGTH = 512  # bytes; a file with a longer one is damaged
_CUT_BEFORE = " \n\t\r"  # whitespace for Python, for the pattern and for Unicode
_SPACE = "\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"  # what \s means in the pattern
_LONG_RUN = re.compile(f"[{_SPACE}]{{1024,}}")


class BpeTokenizer(Tokenizer):
    """Tokens are strings of bytes; every single byte is one of them, so no text is unknown.

    `vocabulary` maps each token to its id, which is its rank as well; `merges` are, in the order of the ids, the two
    parts of each token that is longer than a byte. GPT-2's own is recognised by its fingerprint.
    """

    def __init__(
        self,
        vocabulary: Mapping[bytes, int],
        merges: Merges,
        special_tokens: Mapping[str, int],
        end_tokens: frozenset[int] | None = None,
    ) -> None:
        import tiktoken  # only here: characters and bytes start without it
        from tiktoken_ext.openai_public import r50k_pat_str

        self.special_tokens = dict(special_tokens)
        if end_tokens is None:
            end_tokens = frozenset(token for name, token in special_tokens.items() if name == END_OF_TEXT)
        self.end_tokens = end_tokens
        self.vocab_size = 1 + max([*vocabulary.values(), *special_tokens.values()])
        self._vocabulary, self._merges = vocabulary, merges
        self._bytes = [b""] * self.vocab_size
        for token, number in vocabulary.items():
            self._bytes[number] = token
        self._typecode = typecode(self.vocab_size)
        self._encoding = tiktoken.Encoding(
            "bpe", pat_str=r50k_pat_str, mergeable_ranks=dict(vocabulary), special_tokens={}
        )
        self._fingerprint = self._hash()
        self.kind = "gpt2" if self._fingerprint == GPT2_FINGERPRINT else "bpe"

    @classmethod
    def recognise(cls, content: Mapping[str, Any], end_tokens: frozenset[int] | None) -> BpeTokenizer | None:
        """The tokenizer of a tokenizer.json; None where only the `tokenizers` library gives its ids."""
        try:
            model, added = content["model"], content["added_tokens"]
            special = {token["content"]: token["id"] for token in added if token["special"]}
            words = {token: number for token, number in model["vocab"].items() if token not in special}
            vocabulary = {bytes_of(token): number for token, number in words.items()}
            pairs = [pair.split(" ") if isinstance(pair, str) else pair for pair in model["merges"]]
            merges = [(bytes_of(one), bytes_of(two)) for one, two in pairs]
            split, decoder = content["pre_tokenizer"], content["decoder"]
            byte_level = model["type"] == "BPE" and split["type"] == decoder["type"] == "ByteLevel"
            by_pattern = split.get("use_regex", True) and split["add_prefix_space"] is False
            alike = not any(token.get(flag) for token in added for flag in ("lstrip", "rstrip", "single_word"))
            alike = alike and len({bool(token.get("normalized")) for token in added}) < 2  # else some come first
        except (KeyError, TypeError, AttributeError, ValueError):
            return None
        refused = ("continuing_subword_prefix", "end_of_word_suffix", "dropout")
        if not byte_level or not by_pattern or content.get("normalizer") or any(model.get(name) for name in refused):
            return None
        if len(special) < len(added) or not alike or not ranks_follow_merges(vocabulary, merges):
            return None
        return cls(vocabulary, merges, special, end_tokens)

    @property
    def fingerprint(self) -> str:
        """The hash of the bytes of every token, and of the names of the special tokens."""
        return self._fingerprint

    def _encode_text(self, text: str) -> array[int]:
        refuse_surrogates(text)
        ids = array(self._typecode)
        for part in _bounded_runs(text):
            ids.extend(self._encoding.encode_ordinary(part))
        return ids

    def drop_unknown(self, text: str) -> tuple[str, Counter[str]]:
        """Leave out lone surrogates, which have no UTF-8 form."""
        return left_out(text, SURROGATES.intersection(text))

    def decode(self, ids: Sequence[int]) -> str:
        """The joined bytes read as UTF-8."""
        check_range(ids, self.vocab_size)
        return b"".join(map(self._bytes.__getitem__, ids)).decode("utf-8", "replace")

    def token_bytes(self, token: int) -> bytes:
        """The bytes of the token."""
        check_range([token], self.vocab_size)
        return self._bytes[token]

    def safe_cut(self, text: str) -> int:
        """Before whitespace that follows something else, and not within the name of a special token."""
        cut = cut_between_words(text)
        while cut and self.added_tokens.border(text, cut) < cut:
            cut = cut_between_words(text[:cut])
        return cut

    def to_huggingface(self) -> dict[str, Any]:
        """Each byte is written as one printable character; the ByteLevel pre-tokenizer splits by GPT-2's pattern."""
        spelled = byte_characters()
        vocabulary = {"".join(map(spelled.__getitem__, token)): number for token, number in self._vocabulary.items()}
        names = {token: name for name, token in vocabulary.items()}
        merges = [(names[self._vocabulary[one]], names[self._vocabulary[two]]) for one, two in self._merges]
        model = bpe_model(vocabulary | dict(self.special_tokens), merges)
        return document(model, BYTE_LEVEL | {"use_regex": True}, BYTE_LEVEL, self.special_tokens)

    def settings(self) -> dict[str, Any]:
        """With the end-of-text token."""
        ends = [name for name, token in self.special_tokens.items() if token in self.end_tokens]
        return super().settings() | ({"eos_token": ends[0]} if ends else {})

    def _hash(self) -> str:
        digest = hashlib.sha256(b"bpe")
        for number, token in enumerate(self._bytes):
            digest.update(b"%d %d " % (number, len(token)) + token)
        for name, number in sorted(self.special_tokens.items()):
            digest.update(f"{number} {name}\n".encode())
        return digest.hexdigest()


def cut_between_words(text: str) -> int:
    """The last position before whitespace that follows something else; 0 for none.

    No alternative of GPT-2's pattern matches both characters at once, and the left part does not end in whitespace, the
    only thing of which the pattern asks what comes after it.
    """
    end = len(text)
    while (place := max(text.rfind(space, 0, end) for space in _CUT_BEFORE)) > 0:
        end = len(text[:place].rstrip())  # all that Python strips: more than what the pattern calls whitespace
        if end and text[end] in _CUT_BEFORE:
            return end
    return 0


def ranks_follow_merges(vocabulary: Mapping[bytes, int], merges: Merges) -> bool:
    """Whether ranks of joined bytes and a list of merges give the same ids for every text.

    They do if each token longer than a byte has exactly one merge, later than those of its parts, and if its own bytes,
    merged by all tokens of lower rank, become those two parts. Wherever these bytes then stand in a text without a
    merge of lower rank across their borders, the same merges have been made in the same order.
    """
    if len(merges) != len(vocabulary) - 256 or any(bytes([byte]) not in vocabulary for byte in range(256)):
        return False
    last = -1
    for one, two in merges:
        rank = vocabulary.get(one + two, -1)
        if rank <= last or len(one + two) > MAX_TOKEN_LENGTH:
            return False
        if not (0 <= vocabulary.get(one, rank) < rank and 0 <= vocabulary.get(two, rank) < rank):
            return False
        if _split_count(one + two, vocabulary, rank) > 1 and _merge_below(one + two, vocabulary, rank) != [one, two]:
            return False
        last = rank
    return True


def _split_count(token: bytes, vocabulary: Mapping[bytes, int], rank: int) -> int:
    """The number of ways to split `token` into two tokens of lower rank."""
    splits = ((token[:at], token[at:]) for at in range(1, len(token)))
    return sum(vocabulary.get(one, rank) < rank and vocabulary.get(two, rank) < rank for one, two in splits)


def _merge_below(token: bytes, vocabulary: Mapping[bytes, int], rank: int) -> list[bytes]:
    """The bytes of `token`, merged by all tokens whose rank is below `rank`."""
    parts = [token[at : at + 1] for at in range(len(token))]
    while len(parts) > 1:
        joined = [vocabulary.get(one + two, rank) for one, two in pairwise(parts)]
        if (lowest := min(joined)) >= rank:
            break
        at = joined.index(lowest)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts


def _bounded_runs(text: str) -> Iterator[str]:
    """`text` in parts with the ids of the whole, none of which has a very long run of whitespace before a word.

    There the pattern backtracks by one character, for which the regex engine keeps the whole run on its stack until it
    is full. Split off, all but the last character of the run match at once; the last one belongs to the next word.
    """
    start = 0
    for run in _LONG_RUN.finditer(text):
        end = run.end() if run.end() == len(text) else run.end() - 1
        yield text[start : run.start()]
        yield text[run.start() : end]
        start = end
    yield text[start:]
