import json
from array import array
from collections import Counter
from pathlib import Path

import pytest
import transformers
from minigpt_tui.data.tokenizers import (
    ByteTokenizer,
    CharTokenizer,
    Tokenizer,
    TokenizerError,
    TokenizerKind,
    UnknownCharacterError,
    UnknownCharacters,
    build_tokenizer,
    load_tokenizer,
)

MIXED = (
    "Hello,  world! \n\n\ta\r\nb\rc\x00\x07\x7f ĠĊ▁ é e\u0301 Å ﬁ 中文 العربية 👩‍👩‍👧 🏳️‍🌈 𝔘 "
    "\u200b\ufeff\u2028\U0010ffff\ufffd <s> </s> <|endoftext|> [UNK] ## don't  I'll  end "
)
KINDS: list[TokenizerKind] = ["char", "byte"]


@pytest.mark.parametrize("kind", KINDS)
def test_any_text_survives_the_round_trip(kind: TokenizerKind) -> None:
    tokenizer = build_tokenizer(kind, alphabet=MIXED, pieces=list)
    ids = tokenizer.encode(MIXED)
    assert tokenizer.kind == kind
    assert tokenizer.decode(ids) == MIXED
    assert b"".join(map(tokenizer.token_bytes, ids)).decode() == MIXED
    assert max(ids) < tokenizer.vocab_size
    assert list(tokenizer.encode("")) == []
    assert tokenizer.decode([]) == ""


def test_the_alphabet_is_the_sorted_characters_of_the_text() -> None:
    tokenizer = build_tokenizer("char", alphabet="hello\nworld", pieces=list)
    assert isinstance(tokenizer, CharTokenizer)
    assert tokenizer.alphabet == "\ndehlorw"
    assert list(tokenizer.encode("hold")) == [3, 5, 4, 1]
    assert list(build_tokenizer("char", alphabet="world\nhello", pieces=list).encode("hold")) == [3, 5, 4, 1]


def test_bytes_are_their_own_ids() -> None:
    assert list(ByteTokenizer().encode("é\n")) == [0xC3, 0xA9, 0x0A]
    assert ByteTokenizer().decode([0x61, 0xC3, 0x62]) == "a\ufffdb"
    assert [ByteTokenizer().token_bytes(i) for i in range(256)] == [bytes([i]) for i in range(256)]


@pytest.mark.parametrize(("size", "typecode"), [(256, "B"), (257, "H"), (65_536, "H"), (65_537, "I")])
def test_ids_take_the_narrowest_type_at_its_limits(size: int, typecode: str) -> None:
    """At 65,536 characters the ids themselves pass through the code points of surrogates."""
    alphabet = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x20000)][:size]))
    ids = CharTokenizer(alphabet).encode(alphabet)
    assert ids == array(typecode, range(size))


@pytest.mark.parametrize("kind", KINDS)
def test_lone_surrogates_are_refused_in_one_sentence(kind: TokenizerKind) -> None:
    tokenizer = build_tokenizer(kind, alphabet="abc", pieces=list)
    with pytest.raises(UnknownCharacterError) as caught:
        tokenizer.encode("a\udc80b\ud800")
    assert caught.value.characters == ["\ud800", "\udc80"]
    assert str(caught.value) == "the tokenizer has no token for U+D800, U+DC80; leave them out"
    assert tokenizer.drop_unknown("a\udc80b\udc80") == ("ab", Counter({"\udc80": 2}))


def test_an_alphabet_without_characters_or_with_surrogates_is_refused() -> None:
    with pytest.raises(TokenizerError, match="at least one character"):
        build_tokenizer("char", alphabet="", pieces=list)
    with pytest.raises(UnknownCharacterError, match="U\\+D83D"):
        build_tokenizer("char", alphabet="half an emoji: \ud83d", pieces=list)


def test_unknown_characters_are_named() -> None:
    tokenizer = build_tokenizer("char", alphabet="abc ", pieces=list)
    with pytest.raises(UnknownCharacterError) as caught:
        tokenizer.encode("a cab é\u200b")
    assert caught.value.characters == ["é", "\u200b"]
    assert str(caught.value) == (
        "the tokenizer has no token for 'é', U+200B; leave them out, or train with the byte tokenizer"
    )
    with pytest.raises(UnknownCharacterError, match="'7' and 2 more"):
        tokenizer.encode("0123456789")


def test_unknown_characters_can_be_left_out_and_counted() -> None:
    tokenizer = build_tokenizer("char", alphabet="abc ", pieces=list)
    assert tokenizer.drop_unknown("a café, cab") == ("a ca cab", Counter({"f": 1, "é": 1, ",": 1}))
    assert tokenizer.drop_unknown("abc") == ("abc", Counter())
    assert ByteTokenizer().drop_unknown(MIXED) == (MIXED, Counter())


@pytest.mark.parametrize("tokenizer", [CharTokenizer("ab"), ByteTokenizer()])
@pytest.mark.parametrize("token", [-1, 256])
def test_ids_out_of_range_are_refused(tokenizer: Tokenizer, token: int) -> None:
    with pytest.raises(TokenizerError, match="ids from 0 to"):
        tokenizer.decode([0, token])
    with pytest.raises(TokenizerError, match="ids from 0 to"):
        tokenizer.token_bytes(token)


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_tokenizer_is_read_back(kind: TokenizerKind, tmp_path: Path) -> None:
    tokenizer = build_tokenizer(kind, alphabet=MIXED, pieces=list)
    tokenizer.save(tmp_path)
    again = load_tokenizer(tmp_path)
    assert (again.kind, again.vocab_size) == (kind, tokenizer.vocab_size)
    assert again.encode(MIXED) == tokenizer.encode(MIXED)
    assert again.to_huggingface() == tokenizer.to_huggingface()


@pytest.mark.parametrize("policy", ["drop", "refuse", "token"])
def test_the_policy_for_unknown_characters_survives(policy: UnknownCharacters, tmp_path: Path) -> None:
    tokenizer = CharTokenizer("abc ", policy)
    tokenizer.save(tmp_path)
    again = load_tokenizer(tmp_path)
    assert (again.kind, again.unknown, again.fingerprint) == ("char", policy, tokenizer.fingerprint)
    assert again.filter_unknown("a cab") == ("a cab", Counter())
    if policy == "drop":
        assert again.filter_unknown("a café") == ("a ca", Counter("fé"))
    elif policy == "refuse":
        with pytest.raises(UnknownCharacterError, match="'f', 'é'"):
            again.filter_unknown("a café")
    else:
        assert again.filter_unknown("a café") == ("a café", Counter())
        assert again.encode("a café\ud800").tolist() == [0, 3, 2, 0, 4, 4, 4]


def test_the_unknown_token_has_an_id_of_its_own(tmp_path: Path) -> None:
    tokenizer = build_tokenizer("char", alphabet="<unk> abc", pieces=list, unknown="token")
    assert tokenizer.vocab_size == len(set("<unk> abc")) + 1
    assert tokenizer.special_tokens == {"<unk>": tokenizer.vocab_size - 1}
    text = "a <unk> b 中\n👩‍👩‍👧 é\r\n"
    ids = tokenizer.encode(text)
    shown = "".join(c if c in "<unk> abc" else "\ufffd" for c in text)
    assert tokenizer.decode(ids) == shown
    assert b"".join(map(tokenizer.token_bytes, ids)).decode() == shown
    tokenizer.save(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    auto = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert auto(text)["input_ids"] == ids.tolist()
    assert auto.decode(ids.tolist()) == shown
    assert len(auto) == tokenizer.vocab_size
    auto.save_pretrained(tmp_path / "again")
    assert load_tokenizer(tmp_path / "again").fingerprint == tokenizer.fingerprint


@pytest.mark.parametrize(("size", "typecode"), [(255, "B"), (256, "H"), (65_535, "H"), (65_536, "I")])
def test_the_unknown_token_counts_for_the_type(size: int, typecode: str) -> None:
    alphabet = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x20000)][:size]))
    ids = CharTokenizer(alphabet, "token").encode(alphabet + "\U0010ffff")
    assert ids == array(typecode, range(size + 1))


def test_the_fingerprint_tells_alphabets_and_policies_apart() -> None:
    tokenizers = [CharTokenizer("ab"), CharTokenizer("ba"), CharTokenizer("ab", "token"), CharTokenizer("ab", "refuse")]
    assert len({tokenizer.fingerprint for tokenizer in [*tokenizers, ByteTokenizer()]}) == 5
    assert CharTokenizer("ab").fingerprint == CharTokenizer("ab").fingerprint


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_may_be_cut_anywhere(kind: TokenizerKind) -> None:
    tokenizer = build_tokenizer(kind, alphabet=MIXED, pieces=list)
    assert tokenizer.safe_cut(MIXED) == len(MIXED)
    for cut in range(len(MIXED)):
        assert tokenizer.encode(MIXED[:cut]) + tokenizer.encode(MIXED[cut:]) == tokenizer.encode(MIXED)


@pytest.mark.parametrize("kind", KINDS)
def test_transformers_gives_the_same_ids_in_both_directions(kind: TokenizerKind, tmp_path: Path) -> None:
    tokenizer = build_tokenizer(kind, alphabet=MIXED, pieces=list)
    ids = list(tokenizer.encode(MIXED))
    tokenizer.save(tmp_path)
    fast = transformers.PreTrainedTokenizerFast(tokenizer_file=str(tmp_path / "tokenizer.json"))
    assert fast(MIXED)["input_ids"] == ids
    assert fast.decode(ids) == MIXED
    assert fast.convert_ids_to_tokens([*range(tokenizer.vocab_size)]) == list(
        tokenizer.to_huggingface()["model"]["vocab"]
    )
    for model_type in ("gpt2", "llama", "qwen3", "arcee"):
        (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type, "vocab_size": 256}))
        auto = transformers.AutoTokenizer.from_pretrained(tmp_path)
        assert auto(MIXED)["input_ids"] == ids
        assert auto.decode(ids) == MIXED
        assert len(auto) == tokenizer.vocab_size
    auto.save_pretrained(tmp_path / "written_by_transformers")
    assert list(load_tokenizer(tmp_path / "written_by_transformers").encode(MIXED)) == ids


def test_no_folder_above_that_of_the_files_is_made(tmp_path: Path) -> None:
    tokenizer = CharTokenizer("abc")
    tokenizer.save(tmp_path / "checkpoint")
    for saved in (tokenizer, load_tokenizer(tmp_path / "checkpoint")):
        with pytest.raises(FileNotFoundError):
            saved.save(tmp_path / "deleted run" / "checkpoints" / ".last.new")
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]
