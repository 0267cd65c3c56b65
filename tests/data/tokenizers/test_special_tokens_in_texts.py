"""What a text names is a token: the ids are those of transformers and tiktoken, wherever the names stand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st
from minigpt_tui.data.tokenizers import BpeTokenizer, ForeignTokenizer, Tokenizer, build_tokenizer, load_tokenizer
from minigpt_tui.data.tokenizers.added_tokens import AddedTokens
from tiktoken_ext.openai_public import r50k_pat_str
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers import Tokenizer as Pipeline

transformers = pytest.importorskip("transformers")

WORDS = [
    "the",
    "a",
    " cat",
    " 12",
    "'s",
    "foo",
    "bar",
    "naïve",
    "汉字",
    "\n",
    " ",
    "  ",
    "\t",
    "\u3000",
    "_",
    ".",
    "<|",
    "|>",
]
CORPUS = ["the cat saw a foo bar naïve 汉字 \n 12 <| |> _ the cat's bar. " * 20]
PLAIN = ["<|endoftext|>", "<|end|>", "<|end|><|of|>", "<s>", "s>x", "<|end of turn|>", " <gap>", "\n\n<new>\n"]
ODD = [
    AddedToken("<mask>", lstrip=True, special=True, normalized=False),
    AddedToken("<sep>", rstrip=True, special=True, normalized=False),
    AddedToken("END", rstrip=True, special=False, normalized=False),
    AddedToken("ROMEO", single_word=True, special=False),
    AddedToken(" so", single_word=True, special=False, normalized=False),
    AddedToken("Foo_Bar", special=False, normalized=True),
    AddedToken("two words", special=False, normalized=True),
    AddedToken("<|both|>", lstrip=True, rstrip=True, single_word=True, special=True, normalized=True),
]


def byte_level(names: list[Any], normalizer: Any = None) -> Pipeline:
    pipeline = Pipeline(models.BPE())
    if normalizer:
        pipeline.normalizer = normalizer
    pipeline.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pipeline.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    pipeline.train_from_iterator(
        CORPUS, trainers.BpeTrainer(vocab_size=320, initial_alphabet=alphabet, show_progress=False)
    )
    _add(pipeline, names)
    return pipeline


def word_piece(names: list[Any]) -> Pipeline:
    pipeline = Pipeline(models.WordPiece(unk_token="[UNK]"))
    pipeline.normalizer = normalizers.BertNormalizer(lowercase=True)
    pipeline.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    pipeline.decoder = decoders.WordPiece(cleanup=False)
    trainer = trainers.WordPieceTrainer(vocab_size=200, special_tokens=["[UNK]"], show_progress=False)
    pipeline.train_from_iterator(CORPUS, trainer)
    _add(pipeline, names)
    return pipeline


def unigram(names: list[Any]) -> Pipeline:
    pipeline = Pipeline(models.Unigram())
    pipeline.normalizer = normalizers.NFKC()
    pipeline.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    pipeline.decoder = decoders.Metaspace(prepend_scheme="first")
    trainer = trainers.UnigramTrainer(vocab_size=120, special_tokens=["<unk>"], unk_token="<unk>", show_progress=False)
    pipeline.train_from_iterator(CORPUS, trainer)
    _add(pipeline, names)
    return pipeline


def _add(pipeline: Pipeline, names: list[Any]) -> None:
    pipeline.add_special_tokens([name for name in names if isinstance(name, str) or name.special])
    pipeline.add_tokens([name for name in names if not isinstance(name, str) and not name.special])


def plain_names() -> Pipeline:
    return byte_level(PLAIN)


def odd_names() -> Pipeline:
    return byte_level([*PLAIN, *ODD])


def cut_at_spaces() -> Pipeline:
    return byte_level([*PLAIN, *(name for name in ODD if name.content in ("<mask>", "<sep>", "ROMEO", "Foo_Bar"))])


def lower_case() -> Pipeline:
    return byte_level([*PLAIN, *ODD], normalizers.Lowercase())


def words_in_pieces() -> Pipeline:
    return word_piece([*PLAIN, *ODD])


def words_by_likelihood() -> Pipeline:
    return unigram([*PLAIN, *ODD])


FAMILIES = [plain_names, odd_names, cut_at_spaces, lower_case, words_in_pieces, words_by_likelihood]
NAMES = [*PLAIN, *(name.content for name in ODD)]
PARTS = [
    *NAMES,
    *NAMES,
    *(name.lower() for name in NAMES),
    *(name[:-1] for name in NAMES),
    *(name[1:] for name in NAMES),
]
TEXTS = st.lists(st.sampled_from([*PARTS, *WORDS, *WORDS]), max_size=14).map("".join)
seeded = settings(derandomize=True, deadline=None, max_examples=150, database=None)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Callable[[], Pipeline]], tuple[Tokenizer, Any]]:
    root, made = tmp_path_factory.mktemp("special"), {}

    def load(family: Callable[[], Pipeline]) -> tuple[Tokenizer, Any]:
        if family not in made:
            folder = root / family.__name__
            folder.mkdir()
            family().save(str(folder / "tokenizer.json"))
            (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
            made[family] = load_tokenizer(folder), transformers.AutoTokenizer.from_pretrained(folder)
        return made[family]

    return load


@pytest.mark.parametrize("family", FAMILIES)
def test_ids_are_those_of_transformers(family: Callable[[], Pipeline], loaded: Any) -> None:
    tokenizer, auto = loaded(family)
    assert isinstance(tokenizer, BpeTokenizer if family is plain_names else ForeignTokenizer)

    @seeded
    @given(TEXTS, st.booleans())
    def check(text: str, literal: bool) -> None:
        ids = auto(text, add_special_tokens=False, split_special_tokens=literal)["input_ids"]
        assert tokenizer.encode(text, literal).tolist() == ids

    check()


@pytest.mark.parametrize("family", FAMILIES)
def test_no_cut_changes_an_id(family: Callable[[], Pipeline], loaded: Any) -> None:
    tokenizer, _ = loaded(family)

    @seeded
    @given(TEXTS, TEXTS, st.booleans())
    def check(text: str, follows: str, literal: bool) -> None:
        whole, end = tokenizer.encode(text + follows, literal), len(text)
        while end := tokenizer.safe_cut(text[:end]):
            assert tokenizer.encode(text[:end], literal) + tokenizer.encode((text + follows)[end:], literal) == whole

    check()


@pytest.mark.parametrize("family", [plain_names, cut_at_spaces, odd_names])
def test_a_text_with_names_is_cut_all_the_same(family: Callable[[], Pipeline], loaded: Any) -> None:
    tokenizer, _ = loaded(family)
    if family is odd_names:
        assert tokenizer.safe_cut("the cat") == 0  # END takes the space behind it
    else:
        assert tokenizer.safe_cut("the cat<|end of turn|>") == len("the")
        assert tokenizer.safe_cut("the cat<|end of tu") == len("the")
        assert tokenizer.safe_cut("the cat<|end of tuna") == len("the cat<|end of")


def test_ids_of_byte_pairs_are_those_of_tiktoken(loaded: Any) -> None:
    tokenizer, _ = loaded(plain_names)
    ranks = {
        tokenizer.token_bytes(token): token for token in range(tokenizer.vocab_size) if tokenizer.token_bytes(token)
    }
    longest_first = dict(sorted(tokenizer.special_tokens.items(), key=lambda item: -len(item[0])))
    encoding = tiktoken.Encoding("plain", pat_str=r50k_pat_str, mergeable_ranks=ranks, special_tokens=longest_first)

    @seeded
    @given(TEXTS)
    def check(text: str) -> None:
        assert tokenizer.encode(text).tolist() == encoding.encode(text, allowed_special="all")
        assert tokenizer.encode(text, literal=True).tolist() == encoding.encode_ordinary(text)

    check()


def test_a_learned_tokenizer_reads_the_end_of_a_text_as_transformers_does_from_its_folder(tmp_path: Path) -> None:
    tokenizer = build_tokenizer("bpe", alphabet="", pieces=lambda: CORPUS, bpe_vocab_size=300)
    tokenizer.save(tmp_path)
    auto = transformers.AutoTokenizer.from_pretrained(tmp_path)

    @seeded
    @given(
        st.lists(st.sampled_from([*WORDS, "<|endoftext|>", "<|endoftext|", "endoftext|>"]), max_size=12).map("".join)
    )
    def check(text: str) -> None:
        assert tokenizer.encode(text).tolist() == auto(text)["input_ids"]

    check()


@seeded
@given(TEXTS, st.integers(0, 60))
def test_a_border_lies_within_no_name(text: str, at: int) -> None:
    added = AddedTokens({name: number for number, name in enumerate(NAMES)})
    at = min(at, len(text))
    border, start, spans = added.border(text, at), 0, []
    for part, token in added.split(text):
        start += len(part)
        if token is not None:
            spans.append((start, start + len(NAMES[token])))
            start = spans[-1][1]
    assert start == len(text)
    assert 0 <= border <= at
    assert not any(first < border < last for first, last in spans)
    assert at - border < 3 * added.longest


def test_an_empty_name_is_none() -> None:
    assert list(AddedTokens({"": 3}).split("ab")) == [("ab", None)]
    assert not AddedTokens({"": 3})
    assert AddedTokens({}).border("abc", 2) == 2
