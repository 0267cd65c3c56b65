"""Which characters each token stands for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from minigpt_tui.data.tokenizers import (
    ByteTokenizer,
    CharTokenizer,
    ForeignTokenizer,
    Tokenizer,
    build_tokenizer,
    load_tokenizer,
    token_lengths,
)
from minigpt_tui.data.tokenizers.tokenizer_json import document

from .chat_models import write_tokenizer

TEXT = "the cat, naïve 汉字 🙂🙂 <|endoftext|> e\u0301a\n\n  x"


def words() -> Tokenizer:
    """A foreign tokenizer that drops blanks and makes letters small."""
    vocabulary = {"<unk>": 0, "the": 1, "cat": 2, ",": 3}
    content = document({"type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>"}, {"type": "Whitespace"}, None)
    return ForeignTokenizer(content | {"normalizer": {"type": "Lowercase"}}, None, {})


KINDS: dict[str, Callable[[], Tokenizer]] = {
    "char": lambda: CharTokenizer("abcdehtx, é\n"),
    "char, with a token for unknown ones": lambda: CharTokenizer("abcdehtx, é\n", "token"),
    "byte": ByteTokenizer,
    "bpe": lambda: build_tokenizer("bpe", alphabet="", pieces=lambda: ["the cat, naïve 汉字 " * 9], bpe_vocab_size=280),
    "words": words,
}


@pytest.mark.parametrize("kind", KINDS)
@given(text=st.text(st.sampled_from([*"the cat,é\u0301\u0308ê 汉🙂 가ᄀ\u0958\n“"]), max_size=20))
@settings(max_examples=60, deadline=None)
def test_the_lengths_of_the_tokens_are_that_of_the_text(kind: str, text: str) -> None:
    tokenizer = KINDS[kind]()
    lengths = token_lengths(tokenizer, text)
    ids = tokenizer.encode(tokenizer.filter_unknown(tokenizer.composed(text))[0])
    assert len(lengths) == len(ids)
    assert sum(lengths) == (len(text) if ids else 0)
    assert all(length >= 0 for length in lengths)


@pytest.mark.parametrize("literal", [False, True])
def test_each_token_of_byte_pairs_stands_for_its_characters(literal: bool, tmp_path: Path) -> None:
    for tokenizer in (KINDS["bpe"](), load_tokenizer(write_tokenizer(tmp_path / "model", "chatml"))):
        ids, lengths, at, seen = tokenizer.encode(TEXT, literal), token_lengths(tokenizer, TEXT, literal), 0, b""
        for token, length in zip(ids, lengths, strict=True):
            part = TEXT[at : at + length]
            seen += tokenizer.token_bytes(token)
            at += length
            if length and token not in tokenizer.special_tokens.values():
                assert seen.decode().endswith(part)
        assert at == len(TEXT)


def test_what_is_left_out_or_composed_belongs_to_the_token_before_it() -> None:
    tokenizer = CharTokenizer("abé")
    assert token_lengths(tokenizer, "“ab”e\u0301b") == [2, 2, 2, 1]
    assert token_lengths(words(), "  The  Cat,x ") == [7, 3, 1, 2]
