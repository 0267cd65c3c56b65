"""The tokenizer that a new run learns with."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .bytes import ByteTokenizer
from .characters import CharTokenizer
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
    raise TokenizerError(f"a {kind} tokenizer is not made from a text; choose char or byte")
