from __future__ import annotations

from pathlib import Path

import pytest
from minigpt_tui.data import catalog
from minigpt_tui.data.corpus import Corpus, open_corpus
from minigpt_tui.data.corpus_tokenizer import corpus_tokenizer
from minigpt_tui.data.storage.errors import UserError
from minigpt_tui.data.tokenizers import CharTokenizer, Tokenizer, TokenizerKind, UnknownCharacters

TRAINING = "the cat sat on the mat, and the cat ate the rat. " * 180
VALIDATION = "zebras zigzag, zebras doze! " * 35


@pytest.fixture(autouse=True)
def _own_home(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path_factory.mktemp("home")))


def write(path: Path, text: str) -> Corpus:
    path.write_text(text)
    return open_corpus(str(path))


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """A text whose last tenth has characters and words of its own."""
    assert len(VALIDATION) * 9 <= len(TRAINING) < len(VALIDATION) * 9.01
    return write(tmp_path / "text.txt", TRAINING + VALIDATION)


def tokenizer_of(
    corpus: Corpus, kind: TokenizerKind, unknown: UnknownCharacters = "drop", reports: list[float | None] | None = None
) -> Tokenizer:
    return corpus_tokenizer(
        corpus, kind, validation_fraction=0.1, bpe_vocab_size=300, unknown=unknown,
        progress=None if reports is None else reports.append,
    )  # fmt: skip


def test_a_character_tokenizer_knows_all_of_the_text(corpus: Corpus) -> None:
    for unknown in ("drop", "refuse"):
        tokenizer = tokenizer_of(corpus, "char", unknown)
        assert isinstance(tokenizer, CharTokenizer)
        assert tokenizer.alphabet == corpus.alphabet
        assert tokenizer.unknown == unknown


def test_with_a_token_for_the_unknown_the_validation_text_has_some(corpus: Corpus) -> None:
    tokenizer = tokenizer_of(corpus, "char", "token")
    assert isinstance(tokenizer, CharTokenizer)
    assert tokenizer.alphabet == "".join(sorted(set(TRAINING)))
    assert tokenizer.special_tokens["<unk>"] in tokenizer.encode(VALIDATION)


def test_byte_pairs_are_learned_from_the_training_text_alone_and_once(corpus: Corpus, tmp_path: Path) -> None:
    reports: list[float | None] = []
    learned = tokenizer_of(corpus, "bpe", reports=reports)
    assert reports
    assert len(learned.encode(" the cat")) == 2
    assert len(learned.encode(" zebras")) == 7
    again: list[float | None] = []
    found = tokenizer_of(corpus, "bpe", reports=again)
    assert again == []
    assert found.fingerprint == learned.fingerprint
    assert found.encode(TRAINING + VALIDATION) == learned.encode(TRAINING + VALIDATION)
    other = write(tmp_path / "other.txt", TRAINING + "".join(reversed(VALIDATION)))
    assert tokenizer_of(other, "bpe", reports=again).fingerprint == learned.fingerprint
    assert again


@pytest.mark.parametrize("content", ["", "{}", "[1"])
def test_damaged_byte_pairs_are_learned_again(corpus: Corpus, content: str) -> None:
    learned = tokenizer_of(corpus, "bpe")
    (path,) = (catalog.cache_folder() / "tokenizers").glob("*/tokenizer.json")
    path.write_text(content)
    reports: list[float | None] = []
    assert tokenizer_of(corpus, "bpe", reports=reports).fingerprint == learned.fingerprint
    assert reports
    assert tokenizer_of(corpus, "bpe").fingerprint == learned.fingerprint


def test_byte_pairs_need_no_cache_that_can_be_written(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned = tokenizer_of(corpus, "bpe")
    (tmp_path / "home").write_text("a file where a folder should be")
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path / "home"))
    assert tokenizer_of(corpus, "bpe").fingerprint == learned.fingerprint


def test_nothing_is_learned_from_a_text_that_changed(corpus: Corpus) -> None:
    Path(corpus.spec).write_text(TRAINING.replace("cat", "dog") + VALIDATION)
    for kind in ("char", "bpe"):
        with pytest.raises(UserError, match="changed while it was read"):
            tokenizer_of(corpus, kind, "token")
    assert not (catalog.cache_folder() / "tokenizers").exists()


class GivenUpError(Exception):
    """The caller does not want to wait any longer."""


@pytest.mark.parametrize("kind", ["char", "bpe"])
def test_the_learning_can_be_given_up(corpus: Corpus, kind: TokenizerKind) -> None:
    def give_up(fraction: float | None) -> None:
        raise GivenUpError

    with pytest.raises(GivenUpError):
        corpus_tokenizer(corpus, kind, validation_fraction=0.1, bpe_vocab_size=300, unknown="token", progress=give_up)
    assert not (catalog.cache_folder() / "tokenizers").exists()


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
def test_byte_pairs_whose_file_is_not_as_it_was_written_are_learned_again(corpus: Corpus, name: str) -> None:
    learned = tokenizer_of(corpus, "bpe")
    (path,) = (catalog.cache_folder() / "tokenizers").glob(f"*/{name}")
    kept = path.read_bytes()
    changed = kept.replace(b'"t"', b'"T"').replace(b'"eos_token"', b'"pad_token"')  # as good a tokenizer, another one
    assert changed != kept
    path.write_bytes(changed)
    reports: list[float | None] = []
    assert tokenizer_of(corpus, "bpe", reports=reports).fingerprint == learned.fingerprint
    assert reports
    assert path.read_bytes() == kept
    (checksum,) = path.parents[1].glob("*.json")
    checksum.unlink()  # as those of before were kept
    reports.clear()
    assert tokenizer_of(corpus, "bpe", reports=reports).fingerprint == learned.fingerprint
    assert reports
