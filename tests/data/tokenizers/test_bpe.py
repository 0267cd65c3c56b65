import json
import sys
import unicodedata
from itertools import product
from pathlib import Path

import pytest
import transformers
from minigpt_tui.data.tokenizers import BpeTokenizer, Tokenizer, TokenizerError, build_tokenizer, load_tokenizer
from minigpt_tui.data.tokenizers.bpe import cut_between_words, ranks_follow_merges


def train(text: str, size: int, piece: int = 10_000) -> Tokenizer:
    pieces = [text[at : at + piece] for at in range(0, len(text), piece)]
    return build_tokenizer("bpe", alphabet="", pieces=lambda: iter(pieces), bpe_vocab_size=size)


@pytest.fixture(scope="module")
def tokenizer(mixed_text: str) -> Tokenizer:
    return train(mixed_text[:100_000], 900)


def test_any_text_survives_the_round_trip(tokenizer: Tokenizer, mixed_text: str) -> None:
    assert (tokenizer.kind, tokenizer.vocab_size) == ("bpe", 900)
    ids = tokenizer.encode(mixed_text, literal=True)
    assert ids.typecode == "H"
    assert len(ids) < len(mixed_text)
    assert tokenizer.decode(ids) == mixed_text
    assert b"".join(map(tokenizer.token_bytes, ids)).decode() == mixed_text
    assert tokenizer.decode(tokenizer.encode("")) == ""


def test_the_last_token_ends_a_text_and_is_read_from_one_that_is_not_literal(tokenizer: Tokenizer) -> None:
    assert tokenizer.special_tokens == {"<|endoftext|>": 899}
    assert tokenizer.end_tokens == {899}
    assert tokenizer.encode("a<|endoftext|>b").tolist() == [*tokenizer.encode("a"), 899, *tokenizer.encode("b")]
    ids = tokenizer.encode("a<|endoftext|>b", literal=True)
    assert 899 not in ids
    assert tokenizer.decode(ids) == "a<|endoftext|>b"
    assert tokenizer.token_bytes(899) == b""
    assert tokenizer.decode([ids[0], 899]) == "a"


def test_surrogates_and_ids_out_of_range_are_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(TokenizerError, match="no token for U\\+DC80; leave it out"):
        tokenizer.encode("a\udc80")
    assert tokenizer.filter_unknown("a\udc80b")[0] == "ab"
    for token in (-1, 900):
        with pytest.raises(TokenizerError, match="ids from 0 to 899"):
            tokenizer.decode([token])
        with pytest.raises(TokenizerError, match="ids from 0 to 899"):
            tokenizer.token_bytes(token)


@pytest.mark.parametrize("size", [257, 300, 1300])
def test_transformers_gives_the_same_ids_in_both_directions(size: int, mixed_text: str, tmp_path: Path) -> None:
    tokenizer, text = train(mixed_text[:200_000], size), mixed_text[180_000:230_000]
    ids, literally = tokenizer.encode(text).tolist(), tokenizer.encode(text, literal=True).tolist()
    assert size - 1 in ids
    tokenizer.save(tmp_path)
    for model_type in ("gpt2", "llama", "qwen3"):
        (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
        auto = transformers.AutoTokenizer.from_pretrained(tmp_path)
        assert auto(text)["input_ids"] == ids
        assert auto(text, split_special_tokens=True)["input_ids"] == literally
        assert auto.decode(ids) == text
        assert len(auto) == tokenizer.vocab_size
        assert auto.eos_token_id == size - 1
    auto.save_pretrained(tmp_path / "again")
    for folder in (tmp_path, tmp_path / "again"):
        again = load_tokenizer(folder)
        assert isinstance(again, BpeTokenizer)
        assert (again.kind, again.fingerprint, again.end_tokens) == ("bpe", tokenizer.fingerprint, {size - 1})
        assert again.encode(text).tolist() == ids


def test_a_text_may_be_cut_between_words(tokenizer: Tokenizer, mixed_text: str, nasty_texts: list[str]) -> None:
    for text in nasty_texts:
        cut = tokenizer.safe_cut(text)
        assert 0 < cut < len(text)
        assert tokenizer.encode(text[:cut]) + tokenizer.encode(text[cut:]) == tokenizer.encode(text)
    for size in (50, 1000):
        ids, rest = tokenizer.encode(""), ""
        for at in range(0, 100_000, size):
            rest += mixed_text[at : at + size]
            cut = tokenizer.safe_cut(rest)
            ids += tokenizer.encode(rest[:cut])
            rest = rest[cut:]
        assert ids + tokenizer.encode(rest) == tokenizer.encode(mixed_text[:100_000])
    assert [tokenizer.safe_cut(text) for text in ("", "abc", " ", " abc", "a\x85b")] == [0, 0, 0, 0, 0]
    assert [tokenizer.safe_cut(text) for text in ("abc ", "a b c", "a  b", "a \x1c b")] == [3, 3, 1, 1]


def test_every_place_that_is_offered_is_safe(tokenizer: Tokenizer, nasty_texts: list[str]) -> None:
    for text in nasty_texts[:20]:
        whole, end = tokenizer.encode(text), len(text)
        while end := cut_between_words(text[:end]):
            assert tokenizer.encode(text[:end]) + tokenizer.encode(text[end:]) == whole


def test_python_calls_everything_a_space_that_the_pattern_does() -> None:
    white = [
        *range(0x09, 0x0E),
        0x20,
        0x85,
        0xA0,
        0x1680,
        *range(0x2000, 0x200B),
        0x2028,
        0x2029,
        0x202F,
        0x205F,
        0x3000,
    ]
    assert all(chr(code).isspace() for code in white)  # PropList.txt, White_Space
    spaces = {code for code in range(sys.maxunicode) if chr(code).isspace()}
    assert spaces - {*white} == {0x1C, 0x1D, 0x1E, 0x1F}, unicodedata.unidata_version


@pytest.mark.parametrize("unit", ["a", " ", "\n", " \t\n", "\u3000", "汉字中文", "'", "12345", "👩‍👩‍👧"])
@pytest.mark.parametrize("after", ["", "x"])
def test_very_long_runs_neither_crash_nor_linger(tokenizer: Tokenizer, unit: str, after: str) -> None:
    text = "x" + unit * (400_000 // len(unit)) + after
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_long_runs_of_space_get_the_ids_that_transformers_gives(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path)
    fast = transformers.PreTrainedTokenizerFast(tokenizer_file=str(tmp_path / "tokenizer.json"))
    for before, space, after in product(
        ["", "x", "!"], [" ", "\n", " \n", "\u3000", "\xa0"], ["", "x", "!", "'s", "1"]
    ):
        text = before + (space * 3000)[:3000] + after
        assert tokenizer.encode(text).tolist() == fast(text)["input_ids"], repr((before, space, after))


def test_training_does_not_depend_on_how_the_text_is_handed_over(mixed_text: str) -> None:
    text = mixed_text[:60_000]
    prints = {train(text, 600, piece).fingerprint for piece in (7, 1000, 60_000)}
    assert len(prints) == 1
    assert train(text[:30_000], 600).fingerprint not in prints


def test_a_small_text_gives_fewer_tokens() -> None:
    tokenizer = train("low lower lowest " * 3, 4096)
    assert 257 < tokenizer.vocab_size < 300
    assert tokenizer.end_tokens == {tokenizer.vocab_size - 1}
    assert len(tokenizer.encode("low lower lowest")) == 3
    assert train("", 4096).vocab_size == 257
    assert train("汉字" * 100_000, 300).vocab_size < 300  # one word without an end


@pytest.mark.parametrize("size", [-1, 0, 256, 1 << 40])
def test_an_impossible_size_is_refused_with_the_least_possible_one(size: int) -> None:
    with pytest.raises(TokenizerError, match=r"not possible; every byte and .* need 257"):
        train("abc", size)


def test_progress_is_a_fraction_while_words_are_counted_and_unknown_afterwards(mixed_text: str) -> None:
    seen: list[float | None] = []
    build_tokenizer("bpe", alphabet="", pieces=lambda: [mixed_text], bpe_vocab_size=300, progress=seen.append)
    counted = [fraction for fraction in seen if fraction is not None]
    assert seen[-1] is None
    assert seen.count(None) == 1
    assert counted == sorted(counted)
    assert len(counted) > 5
    assert counted[-1] == 1.0


def test_an_error_of_the_text_ends_the_training() -> None:
    def pieces():
        yield "some text "
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        build_tokenizer("bpe", alphabet="", pieces=pieces, bpe_vocab_size=300)


def test_ranks_and_merges_must_come_to_the_same_ids() -> None:
    """With `bc` before `ab`, the bytes of `abc` come to `a bc`: listed as `ab c`, the token is never made."""
    single = {bytes([byte]): byte for byte in range(256)}

    def vocabulary(*tokens: bytes) -> dict[bytes, int]:
        return single | {token: 256 + at for at, token in enumerate(tokens)}

    right = vocabulary(b"ab", b"bc", b"abc")
    assert ranks_follow_merges(right, [(b"a", b"b"), (b"b", b"c"), (b"ab", b"c")])
    assert not ranks_follow_merges(right, [(b"a", b"b"), (b"b", b"c"), (b"a", b"bc")])
    assert not ranks_follow_merges(right, [(b"a", b"b"), (b"b", b"c")])
    assert not ranks_follow_merges(right, [(b"b", b"c"), (b"a", b"b"), (b"ab", b"c")])
    assert not ranks_follow_merges(vocabulary(b"bc", b"ab", b"abc"), [(b"b", b"c"), (b"a", b"b"), (b"ab", b"c")])
    assert not ranks_follow_merges(vocabulary(b"abc", b"ab"), [(b"ab", b"c"), (b"a", b"b")])
    assert not ranks_follow_merges({**right, b"\x00": 4000}, [(b"a", b"b"), (b"b", b"c"), (b"ab", b"\x00")])
    assert not ranks_follow_merges(
        {token: at for token, at in right.items() if token != b"z"}, [(b"a", b"b"), (b"b", b"c")]
    )
