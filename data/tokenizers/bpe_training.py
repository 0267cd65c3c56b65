"""Byte-level BPE trained on a text by the `tokenizers` library."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator

from .bpe import END_OF_TEXT, BpeTokenizer, cut_between_words
from .tokenizer import TokenizerError
from .tokenizer_json import bytes_of

MIN_SIZE = 256 + 1  # every byte, and the end-of-text token
MAX_SIZE = 1 << 20
_MAX_TOKEN_LENGTH = 128  # bytes; a longer token is a line of dashes, not language
_MIN_FREQUENCY = 2  # a pair that was seen once says nothing about other texts
_PIECE = 1 << 16  # characters; the library holds 256 pieces at once
_MAX_WORD_LENGTH = 1024  # characters; the library's time grows with the square of a word's length
_LONG_RUN = re.compile(rf"\S{{{_MAX_WORD_LENGTH},}}|\s{{{_MAX_WORD_LENGTH},}}")


def train_bpe(
    pieces: Callable[[], Iterable[str]], vocab_size: int, progress: Callable[[float | None], None] | None = None
) -> BpeTokenizer:
    """A tokenizer of at most `vocab_size` tokens, fewer where the text has no more pairs that occur twice.

    The text is never held whole: `pieces` is read once for its length and once for its words. `progress` receives the
    fraction that is counted, then None while pairs are merged. Raises TokenizerError for an impossible size.
    """
    if not MIN_SIZE <= vocab_size <= MAX_SIZE:
        raise TokenizerError(
            f"a BPE of {vocab_size:,} tokens is not possible; every byte and {END_OF_TEXT} need {MIN_SIZE}, and "
            f"{MAX_SIZE:,} is the most"
        )
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers  # only here: loading needs none of it

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - 1,
        min_frequency=_MIN_FREQUENCY,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        max_token_length=_MAX_TOKEN_LENGTH,
    )
    backend.train_from_iterator(_reported(pieces, progress), trainer)
    trained = json.loads(backend.to_str())["model"]
    vocabulary = {bytes_of(spelled): token for spelled, token in trained["vocab"].items()}
    merges = [(bytes_of(one), bytes_of(two)) for one, two in trained["merges"]]
    return BpeTokenizer(vocabulary, merges, {END_OF_TEXT: len(vocabulary)})


def _reported(pieces: Callable[[], Iterable[str]], progress: Callable[[float | None], None] | None) -> Iterator[str]:
    """Small pieces of whole words; `progress` is called after each."""
    total = sum(map(len, pieces())) if progress else 0
    done = 0
    for piece in _whole_words(pieces()):
        yield piece
        done += len(piece)
        if progress:
            progress(done / total)
    if progress:
        progress(None)


def _whole_words(pieces: Iterable[str]) -> Iterator[str]:
    """The same text in small pieces, cut between words."""
    rest = ""
    for piece in pieces:
        for start in range(0, len(piece), _PIECE):
            rest += piece[start : start + _PIECE]
            if cut := cut_between_words(rest) or (len(rest) if len(rest) >= _PIECE else 0):
                yield from _bounded_words(rest[:cut])
                rest = rest[cut:]
    yield from _bounded_words(rest)


def _bounded_words(text: str) -> Iterator[str]:
    """`text` in parts that split very long runs without a word boundary, such as endless lines of one letter."""
    start = 0
    for run in _LONG_RUN.finditer(text):
        for end in range(run.start(), run.end(), _MAX_WORD_LENGTH):
            yield text[start:end]
            start = end
    yield text[start:]
