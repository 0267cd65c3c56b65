"""A corpus as token ids: encoded once, piece by piece in little memory, and read from the cache from then on."""

from __future__ import annotations

import hashlib
import sys
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import groupby
from operator import itemgetter

import torch
from torch import Tensor

from .corpus import Corpus, check_length, split_position
from .dataset import TokenDataset
from .storage.errors import UserError
from .text_files import Progress
from .token_cache import DTYPES, TokenCounts, load_tokens, store_tokens
from .tokenizers import Tokenizer, UnknownCharacterError
from .tokenizers.added_tokens import AddedTokens
from .tokenizers.tokenizer import typecode

_FORMAT = 1  # version of the encoded texts in the cache; part of their key
_SMALL = 1 << 20  # bytes; a smaller text is encoded as fast as a file is written, so it is not cached
_CHUNK = 1 << 22  # tokens that are converted to int32 at once


def encode_corpus(
    corpus: Corpus,
    tokenizer: Tokenizer,
    *,
    validation_fraction: float,
    context_length: int | None,
    device: torch.device | str,
    literal: bool = False,
    progress: Progress | None = None,
) -> TokenDataset:
    """Split the text by position, the last `validation_fraction` for validation, and put its tokens on the device.

    With a fraction of 1 all of it is validation, and only that part has to be long enough; without a `context_length`
    no part has to. With `literal` the names of special tokens are text. `progress` receives the fraction of the text
    that is encoded; an exception that it raises ends the encoding and leaves no file behind. Characters without a token
    are left out and counted where the tokenizer's policy is to drop them. Raises UserError where it refuses them, where
    a part is shorter than context_length + 1 tokens, or where the text is not what it was when the corpus was opened.
    """
    try:
        left_out = tokenizer.filter_unknown(corpus.alphabet)[1]
    except UnknownCharacterError as error:
        raise UserError(f"the text of {corpus.name} cannot be encoded: {error}") from error
    split = split_position(corpus.n_characters, validation_fraction)
    code = typecode(tokenizer.vocab_size)
    named = bool(tokenizer.added_tokens) and not literal  # whether a part of the text may mean a token

    def encode(write: Callable[[array[int]], object]) -> TokenCounts:
        parts = _split(corpus.pieces(progress), split, tokenizer.added_tokens if named else AddedTokens({}))
        return _encode(parts, tokenizer, literal, bool(left_out), write)

    found = None
    if corpus.n_bytes >= _SMALL:
        key = f"{_FORMAT} {corpus.fingerprint} {tokenizer.fingerprint} {tokenizer.unknown} {split} {sys.byteorder}"
        key += " with added tokens" * named
        name = hashlib.sha256(key.encode()).hexdigest()[:32]
        found = load_tokens(name, code) or store_tokens(name, code, encode)
    counts, tokens = found or _in_memory(code, encode)
    if context_length is not None:
        check_length(counts.train if split else counts.validation, counts.validation, context_length)
    train, validation = (_move(part, device) for part in tokens.split([counts.train, counts.validation]))
    return TokenDataset(train, validation, counts.validation_bytes, counts.left_out)


def _encode(
    parts: Iterator[tuple[bool, str]],
    tokenizer: Tokenizer,
    literal: bool,
    incomplete: bool,
    write: Callable[[array[int]], object],
) -> TokenCounts:
    """Pass the ids of the training text to `write`, then those of the validation text.

    `incomplete` says that some characters of the text have no token.
    """
    n_tokens, validation_bytes, left_out = [0, 0], 0, Counter[str]()

    def filtered(pieces: Iterator[tuple[bool, str]]) -> Iterator[str]:
        for _, piece in pieces:
            if incomplete:
                piece, unknown = tokenizer.filter_unknown(piece)
                left_out.update(unknown)
            yield piece

    for is_validation, pieces in groupby(parts, itemgetter(0)):
        for text in _encodable_pieces(filtered(pieces), tokenizer):
            ids = tokenizer.encode(text, literal)
            write(ids)
            n_tokens[is_validation] += len(ids)
            if is_validation:
                validation_bytes += len(text.encode())
    return TokenCounts(n_tokens[False], n_tokens[True], validation_bytes, dict(left_out))


def _split(pieces: Iterator[str], split: int, added: AddedTokens) -> Iterator[tuple[bool, str]]:
    """The text in pieces, and whether each is validation text, which begins at position `split`.

    The name of an added token that spans this position is not cut: all of it is validation text.
    """
    position, near = 0, ""  # the text around the split, and where it begins
    for piece in pieces:
        near += piece
        if position + len(near) <= split - added.longest:
            yield False, near
        elif position + len(near) < split + added.longest:
            continue
        else:
            yield from _parts(near, added.border(near, max(0, split - position)))
        position, near = position + len(near), ""
    yield from _parts(near, added.border(near, max(0, split - position)))


def _parts(text: str, split: int) -> Iterator[tuple[bool, str]]:
    for is_validation, part in ((False, text[:split]), (True, text[split:])):
        if part:
            yield is_validation, part


def _encodable_pieces(pieces: Iterator[str], tokenizer: Tokenizer) -> Iterator[str]:
    """The same text in pieces that give the same ids when each is encoded alone."""
    rest, tried = "", 0
    for piece in pieces:
        rest += piece
        if len(rest) < 2 * tried:  # a search is as long as the rest: doubling it keeps the total linear
            continue
        cut = tokenizer.safe_cut(rest)
        tried = 0 if cut else len(rest)
        if cut:
            yield rest[:cut]
            rest = rest[cut:]
    if rest:
        yield rest


def _in_memory(
    code: str, encode: Callable[[Callable[[array[int]], object]], TokenCounts]
) -> tuple[TokenCounts, Tensor]:
    ids = array(code)
    counts = encode(ids.extend)
    return counts, torch.frombuffer(ids, dtype=DTYPES[code]) if ids else torch.empty(0, dtype=DTYPES[code])


def _move(tokens: Tensor, device: torch.device | str) -> Tensor:
    """The tokens on the device; two-byte ids become int32 there, a part at a time."""
    if torch.device(device).type == "cpu" or tokens.dtype != torch.uint16:
        return tokens.to(device)
    moved = torch.empty(len(tokens), dtype=torch.int32, device=device)
    for target, source in zip(moved.split(_CHUNK), tokens.split(_CHUNK), strict=True):
        target.copy_(source.to(torch.int32))
    return moved
