"""Where each token of a text lies, whole or in pieces."""

from __future__ import annotations

import random

import pytest
from minigpt_tui.engine.requests import TokenDetail
from minigpt_tui.engine.sessions.token_lengths import TokenLengths, places


def details(*tokens: bytes | str) -> list[TokenDetail]:
    """As the generate process names them."""
    named: list[TokenDetail] = []
    for number, token in enumerate(tokens):
        if isinstance(token, str):
            name = token
        else:
            try:
                name = token.decode()
            except UnicodeDecodeError:
                name = "".join(f"<{byte:02X}>" for byte in token)
        named.append(TokenDetail(number, name, 0.5, 0.5, 1, 1.0, ()))
    return named


@pytest.mark.parametrize(
    ("text", "tokens", "lengths"),
    [
        ("a word", (b"a", b" wo", b"rd"), [1, 3, 2]),
        ("é😀!", (b"\xc3", b"\xa9\xf0\x9f", b"\x98", b"\x80!"), [0, 1, 0, 2]),
        ("\ufffda", (b"\xe2", b"a"), [0, 2]),
        ("<E2>x", (b"<E2>", b"x"), [4, 1]),
        ("<41>x", (b"<41>", b"x"), [4, 1]),
        ("ab", (b"a", "<|end|>", b"b"), [1, 0, 1]),
        (" word on", (b"word ", b"on"), [6, 2]),
        ("日本", ("日本".encode()[:2], "日本".encode()[2:5], "日本".encode()[5:]), [0, 1, 1]),
    ],
    ids=["plain", "bytes", "broken", "looks-like-a-byte", "names-a-letter", "special", "blank-first", "cjk"],
)
def test_each_token_has_the_characters_that_it_completes(text: str, tokens: tuple[bytes, ...], lengths: list[int]):
    whole = TokenLengths()
    assert [record.length for record in whole.add(text, details(*tokens))] == lengths
    assert whole.finish() == []


def test_of_a_token_that_is_not_shown_whole_nothing_is_known_and_one_that_is_not_shown_goes():
    stopped = TokenLengths()
    assert [record.length for record in stopped.add("the e", details(b"the ", b"end", b" of"))] == [4]
    (rest,) = stopped.finish()
    assert (rest.known, rest.length) == (False, 1)


@pytest.mark.parametrize("seed", range(20))
def test_pieces_give_what_the_whole_gives(seed: int):
    draw = random.Random(seed)
    text = "".join(draw.choice(["a", " b", "é", "日本", "😀", "<E2>", "\n", "the "]) for _ in range(30))
    raw, tokens = text.encode(), []
    while raw:
        size = draw.randint(1, 4)
        tokens.append(raw[:size])
        raw = raw[size:]
    expected = TokenLengths().add(text, details(*tokens))
    assert sum(record.length for record in expected) == len(text)
    pieces, got = TokenLengths(), []
    left, named = text, details(*tokens)
    while left or named:
        size, count = draw.randint(0, 6), draw.randint(0, 3)
        got += pieces.add(left[:size], named[:count])
        left, named = left[size:], named[count:]
    assert got + pieces.finish() == expected


def test_the_tokens_of_a_scored_text_are_placed_although_the_first_one_has_no_details():
    assert places("a word", details(b"a", b" word")) == [(0, 1), (1, 6)]
    assert places("a word", details(b" word")) == [(1, 6)]
    assert places("a word", details(b"another")) == []
