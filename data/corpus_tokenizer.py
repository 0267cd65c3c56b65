"""The tokenizer of a new run, built from its corpus; a trained BPE is kept in the cache."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from .catalog import cache_folder
from .corpus import Corpus, add_characters, split_position
from .storage.memo import recall, remember
from .storage.plain_files import read_plain
from .text_files import Progress
from .tokenizers import (
    TOKENIZER_FILES,
    Tokenizer,
    TokenizerError,
    TokenizerKind,
    UnknownCharacters,
    build_tokenizer,
    load_tokenizer,
)

_FORMAT = 1  # version of the BPE tokenizers in the cache; part of their key


def corpus_tokenizer(
    corpus: Corpus,
    kind: TokenizerKind,
    *,
    validation_fraction: float,
    bpe_vocab_size: int,
    unknown: UnknownCharacters,
    progress: Callable[[float | None], None] | None = None,
) -> Tokenizer:
    """Build it, or take a BPE that was trained on the same text before from the cache.

    A character tokenizer has every character of the text, but with a token for unknown characters only those of the
    training part, so that the unknown token occurs in the validation part. `progress`
    receives the fraction that is done, None where it is unknown. Raises UserError, and TokenizerError where the
    tokenizer cannot be built.
    """
    split = split_position(corpus.n_characters, validation_fraction)

    def pieces() -> Iterator[str]:
        return _before(corpus, split, progress if kind == "char" else None)

    alphabet, cache_path = corpus.alphabet, None
    if kind == "char" and unknown == "token":
        characters = set[str]()
        for piece in pieces():
            add_characters(characters, piece.encode())
        alphabet = "".join(sorted(characters))
    if kind == "bpe":
        name = hashlib.sha256(f"{_FORMAT} {corpus.fingerprint} {split} {bpe_vocab_size}".encode()).hexdigest()[:32]
        cache_path = cache_folder() / "tokenizers" / name
        with contextlib.suppress(TokenizerError):
            if (checksum := recall(_checksum_path(cache_path))) and checksum == _checksum(cache_path):
                return load_tokenizer(cache_path)
    tokenizer = build_tokenizer(
        kind, alphabet=alphabet, pieces=pieces, bpe_vocab_size=bpe_vocab_size, unknown=unknown, progress=progress
    )
    if cache_path:
        with contextlib.suppress(OSError):  # a cache that cannot be written costs only time
            cache_path.parent.mkdir(parents=True, exist_ok=True)
            tokenizer.save(cache_path)
            remember(_checksum_path(cache_path), _checksum(cache_path))
    return tokenizer


def _checksum_path(folder: Path) -> Path:
    return folder.with_suffix(".json")


def _checksum(folder: Path) -> str | None:
    """SHA-256 of the tokenizer's files, in hexadecimal; None where one cannot be read."""
    digest = hashlib.sha256()
    try:
        for name in filter(lambda name: (folder / name).exists(), TOKENIZER_FILES):
            content = read_plain(folder / name)
            digest.update(f"{name} {len(content)} ".encode() + content)
    except OSError:
        return None
    return digest.hexdigest()


def _before(corpus: Corpus, split: int, progress: Progress | None) -> Iterator[str]:
    """The text before position `split`. The rest is read as well: at its end the corpus checks the fingerprint."""
    position = 0
    for piece in corpus.pieces(progress):
        if position < split:
            yield piece[: split - position]
        position += len(piece)
