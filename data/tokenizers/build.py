"""A tokenizer of each kind that can be built from a text."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .bpe_training import train_bpe
from .bytes import ByteTokenizer
from .characters import CharTokenizer
from .gpt2 import gpt2_tokenizer
from .tokenizer import Tokenizer, TokenizerError, TokenizerKind, UnknownCharacters


def build_tokenizer(
    kind: TokenizerKind,
    *,
    alphabet: str,
    pieces: Callable[[], Iterable[str]],
    bpe_vocab_size: int = 4096,
    unknown: UnknownCharacters = "drop",
    progress: Callable[[float | None], None] | None = None,
) -> Tokenizer:
    """The tokenizer of that kind for a corpus.

    `char` needs the `alphabet`, the distinct characters of the text. `bpe` learns up to `bpe_vocab_size` tokens from
    `pieces`, which gives the text from its start each time it is called; `progress` receives the fraction that is
    counted, then None while the tokens are chosen. Raises TokenizerError where it cannot be built.
    """
    if kind == "char":
        return CharTokenizer("".join(sorted(set(alphabet))), unknown)
    if kind == "byte":
        return ByteTokenizer()
    if kind == "gpt2":
        return gpt2_tokenizer()
    if kind == "bpe":
        return train_bpe(pieces, bpe_vocab_size, progress)
    raise TokenizerError("a foreign tokenizer comes with its model and is not built; choose char, byte, gpt2 or bpe")
