"""A corpus becomes token ids: the same whatever the pieces, from memory or from the cache, whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from minigpt_tui.data import catalog
from minigpt_tui.data.corpus import Corpus, open_corpus, split_position
from minigpt_tui.data.dataset import TokenDataset
from minigpt_tui.data.encoding import encode_corpus
from minigpt_tui.data.storage.errors import UserError
from minigpt_tui.data.storage.memo import recall, remember
from minigpt_tui.data.token_cache import DTYPES, MAX_SIZE
from minigpt_tui.data.tokenizers import ByteTokenizer, CharTokenizer, Tokenizer, TokenizerError, build_tokenizer
from minigpt_tui.data.tokenizers.tokenizer import typecode

PROSE = "Once there was a fox.  She said: “Where's my hat?”\n\n\t42 cafés — 日本語 \U0001f98a!\n"
TIKTOKEN_CACHE = Path(__file__).parents[3] / "shared" / "data" / "tiktoken-cache"


@pytest.fixture(autouse=True)
def _own_home(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path_factory.mktemp("home")))


def write(path: Path, text: str) -> Corpus:
    path.write_bytes(text.encode())
    return open_corpus(str(path))


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """A text of a little more than a megabyte: large enough for the cache."""
    return write(tmp_path / "fox.txt", PROSE * 13_000)


@pytest.fixture
def small(tmp_path: Path) -> Corpus:
    """A text that is encoded sooner than a file is written."""
    return write(tmp_path / "small.txt", PROSE * 200)


@dataclass(frozen=True)
class InPieces:
    """A source that gives a text in pieces of one length."""

    text: str
    length: int

    def parts(self, progress: Callable[[float], None] | None = None) -> Iterator[tuple[int | None, str]]:
        for start in range(0, len(self.text), self.length):
            yield 0, self.text[start : start + self.length]


def encode(
    corpus: Corpus, tokenizer: Tokenizer, fraction: float = 0.1, progress: Callable[[float], None] | None = None
) -> TokenDataset:
    return encode_corpus(
        corpus, tokenizer, validation_fraction=fraction, context_length=16, device="cpu", progress=progress
    )


def tokens_folder() -> Path:
    return catalog.cache_folder() / "tokens"


def files() -> list[str]:
    return sorted(path.suffix for path in tokens_folder().iterdir())


def read_at(corpus: Corpus, tokenizer: Tokenizer) -> bool:
    """Whether the text is read to encode it."""
    fractions: list[float] = []
    encode(corpus, tokenizer, progress=fractions.append)
    return bool(fractions)


def assert_same(one: TokenDataset, other: TokenDataset) -> None:
    assert torch.equal(one.train, other.train)
    assert torch.equal(one.validation, other.validation)
    assert one.train.dtype == other.train.dtype
    assert (one.validation_bytes, one.left_out) == (other.validation_bytes, other.left_out)


def tokenizer_for(kind: str, text: str, monkeypatch: pytest.MonkeyPatch) -> Tokenizer:
    if kind == "gpt2":
        if not TIKTOKEN_CACHE.exists():
            pytest.skip("GPT-2's merges are not here")
        monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(TIKTOKEN_CACHE))
    return build_tokenizer(kind, alphabet=text, pieces=lambda: [text], bpe_vocab_size=600)  # type: ignore[arg-type]


def assert_encodes(dataset: TokenDataset, text: str, split: int, tokenizer: Tokenizer) -> None:
    """The tokens are those of the two whole parts of the text."""
    assert dataset.train.tolist() == tokenizer.encode(text[:split]).tolist()
    assert dataset.validation.tolist() == tokenizer.encode(text[split:]).tolist()
    assert dataset.validation_bytes == len(text[split:].encode())
    assert dataset.train.dtype == DTYPES[typecode(tokenizer.vocab_size)]
    assert dataset.left_out == {}


@pytest.mark.parametrize("kind", ["char", "byte", "bpe", "gpt2"])
@pytest.mark.parametrize("length", [7, 1000, 10**6])
def test_pieces_leave_no_seam_in_either_part(
    small: Corpus, kind: str, length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = small.read()
    tokenizer = tokenizer_for(kind, text, monkeypatch)
    dataset = encode(replace(small, source=InPieces(text, length)), tokenizer, 0.3)
    assert_encodes(dataset, text, split_position(len(text), 0.3), tokenizer)
    assert not tokens_folder().exists()


@pytest.mark.parametrize("kind", ["char", "byte", "bpe", "gpt2"])
def test_the_cache_holds_the_tokens_of_both_parts(corpus: Corpus, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = corpus.read()
    tokenizer = tokenizer_for(kind, text, monkeypatch)
    for _ in range(2):  # written, read back
        assert_encodes(encode(corpus, tokenizer, 0.3), text, split_position(len(text), 0.3), tokenizer)
        assert files() == [".ids", ".json"]


def test_a_text_without_any_place_to_cut_is_encoded_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "abcabd" * 2000
    tokenizer = tokenizer_for("bpe", "abcabd abd abc " * 50, monkeypatch)
    dataset = encode(replace(write(tmp_path / "a.txt", text), source=InPieces(text, 100)), tokenizer)
    assert dataset.train.tolist() == tokenizer.encode(text[:10_800]).tolist()


@pytest.mark.parametrize("size", [256, 257, 65_537])
def test_ids_have_the_width_that_the_vocabulary_needs_and_an_accelerator_can_index(tmp_path: Path, size: int) -> None:
    alphabet = "".join(map(chr, range(0xE000, 0xE000 + size)))
    corpus, tokenizer = write(tmp_path / "a.txt", alphabet * 2), CharTokenizer(alphabet)
    dataset = encode(corpus, tokenizer, 0.5)
    assert dataset.train.dtype == {256: torch.uint8, 257: torch.uint16, 65_537: torch.int32}[size]
    assert dataset.train.tolist() == dataset.validation.tolist() == list(range(size))
    moved = encode_corpus(corpus, tokenizer, validation_fraction=0.5, context_length=16, device="meta")
    assert moved.train.dtype == moved.validation.dtype == (torch.uint8 if size == 256 else torch.int32)


# --- the cache ------------------------------------------------------------------------------------


def test_the_second_time_takes_the_tokens_from_the_cache(corpus: Corpus) -> None:
    fractions: list[float] = []
    first = encode(corpus, ByteTokenizer(), progress=fractions.append)
    assert fractions[-1] == 1.0
    assert not read_at(corpus, ByteTokenizer())
    assert_same(encode(corpus, ByteTokenizer()), first)


def test_whatever_decides_the_ids_is_part_of_the_name(corpus: Corpus, tmp_path: Path) -> None:
    alphabet = corpus.alphabet
    other = write(tmp_path / "other.txt", corpus.read().replace("fox", "hen"))
    for text, tokenizer, fraction in (
        (corpus, CharTokenizer(alphabet), 0.1),
        (corpus, CharTokenizer(alphabet[1:]), 0.1),
        (corpus, CharTokenizer(alphabet[1:], "token"), 0.1),
        (corpus, ByteTokenizer(), 0.1),
        (corpus, ByteTokenizer(), 0.2),
        (other, ByteTokenizer(), 0.2),
    ):
        before = set(tokens_folder().glob("*.ids"))
        encode(text, tokenizer, fraction)
        assert len(set(tokens_folder().glob("*.ids")) - before) == 1


def damaged(name: str, change: Callable[[bytes], bytes]) -> Callable[[], object]:
    def damage() -> None:
        (path,) = tokens_folder().glob(name)
        path.write_bytes(change(path.read_bytes()))

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        damaged("*.ids", lambda content: content[:-1]),
        damaged("*.ids", lambda content: content + b"\0"),
        damaged("*.ids", lambda content: b""),
        damaged("*.ids", lambda content: bytes([content[0] ^ 1]) + content[1:]),
        damaged("*.ids", lambda content: content[:-1] + bytes([content[-1] ^ 128])),
        damaged("*.json", lambda content: content[:-3]),
        damaged("*.json", lambda content: content.replace(b'"train": ', b'"train": 1')),
        damaged("*.json", lambda content: b"\xff\0"),
        lambda: next(tokens_folder().glob("*.json")).unlink(),
        lambda: next(tokens_folder().glob("*.ids")).unlink(),
    ],
)
def test_a_damaged_file_is_made_anew(corpus: Corpus, damage: Callable[[], object]) -> None:
    first = encode(corpus, ByteTokenizer()).train.tolist()  # read out, for the file is about to change
    damage()
    assert encode(corpus, ByteTokenizer()).train.tolist() == first
    assert files() == [".ids", ".json"]
    assert not read_at(corpus, ByteTokenizer())


def test_tokens_that_were_kept_without_a_checksum_are_made_anew(corpus: Corpus) -> None:
    first = encode(corpus, ByteTokenizer()).train.tolist()
    (description,), (ids,) = tokens_folder().glob("*.json"), tokens_folder().glob("*.ids")
    kept = recall(description)
    del kept["checksum"]
    remember(description, kept)
    ids.write_bytes(bytes(len(ids.read_bytes())))
    assert encode(corpus, ByteTokenizer()).train.tolist() == first
    assert "checksum" in recall(description)


def test_a_cache_that_cannot_be_written_costs_only_time(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = encode(corpus, ByteTokenizer())
    (tmp_path / "home").write_text("a file where a folder should be")
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path / "home"))
    assert_same(encode(corpus, ByteTokenizer()), expected)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_a_disk_that_becomes_full_costs_only_time(corpus: Corpus) -> None:
    result = run_script(
        f"""
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))
dataset = encode(open_corpus({corpus.spec!r}))
print(len(dataset.train) + len(dataset.validation))
"""
    )
    assert int(result) == corpus.n_bytes
    assert files() == []


class GivenUpError(Exception):
    """The caller does not want to wait any longer."""


def test_giving_up_leaves_nothing_behind(corpus: Corpus) -> None:
    def give_up(fraction: float) -> None:
        if fraction > 0.5:
            raise GivenUpError

    with pytest.raises(GivenUpError):
        encode(corpus, ByteTokenizer(), progress=give_up)
    assert files() == []


def test_a_text_that_changes_meanwhile_is_not_kept(corpus: Corpus) -> None:
    Path(corpus.spec).write_text(PROSE * 12_999 + PROSE.replace("fox", "hen"), encoding="utf-8")
    with pytest.raises(UserError, match="changed while it was read"):
        encode(corpus, ByteTokenizer())
    assert files() == []


def run_script(script: str) -> str:
    return start_script(script).communicate(timeout=120)[0]


def start_script(script: str) -> subprocess.Popen[str]:
    begin = """
from minigpt_tui.data.corpus import open_corpus
from minigpt_tui.data.encoding import encode_corpus
from minigpt_tui.data.tokenizers import ByteTokenizer

def encode(corpus):
    return encode_corpus(corpus, ByteTokenizer(), validation_fraction=0.1, context_length=16, device="cpu")
"""
    return subprocess.Popen([sys.executable, "-c", begin + script], stdout=subprocess.PIPE, text=True)


@pytest.mark.long
def test_processes_that_encode_the_same_text_at_once_do_not_hurt_each_other(tmp_path: Path) -> None:
    corpus = write(tmp_path / "large.txt", PROSE * 20_000)
    script = f"""
dataset = encode(open_corpus({corpus.spec!r}))
print(dataset.train.long().sum().item())
"""
    sums = {process.communicate(timeout=120)[0] for process in [start_script(script) for _ in range(2)]}
    assert sums == {f"{sum(corpus.read().encode()[: len(encode(corpus, ByteTokenizer()).train)])}\n"}
    assert files() == [".ids", ".json"]


def test_what_was_not_used_for_the_longest_time_makes_room(tmp_path: Path) -> None:
    one, two, three = (write(tmp_path / name, PROSE * 13_000 + name) for name in ("one.txt", "two.txt", "three.txt"))
    for age, corpus in ((300, one), (200, two)):
        encode(corpus, ByteTokenizer())
        newest = max(tokens_folder().glob("*.ids"), key=lambda path: path.stat().st_mtime)
        os.utime(newest, (time.time(), time.time() - age))
    filler = tokens_folder() / "filler.ids"  # no block of it is written, yet it counts: room for two and a half texts
    filler.touch()
    os.truncate(filler, MAX_SIZE - int(2.5 * one.n_bytes))
    os.utime(filler, (time.time(), time.time() + 3600))
    encode(one, ByteTokenizer())  # so it is `two` that was not used for longer
    encode(three, ByteTokenizer())
    assert files() == [".ids", ".ids", ".ids", ".json", ".json"]
    assert [read_at(corpus, ByteTokenizer()) for corpus in (one, three)] == [False, False]
    os.truncate(filler, MAX_SIZE + 1)
    os.utime(filler, (time.time(), time.time() + 3600))
    assert read_at(two, ByteTokenizer())
    assert files() == [".ids", ".json"]  # the newest stays, even where it is the last to be in the way


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the memory in use")
def test_encoding_takes_little_memory_beyond_the_tokens(tmp_path: Path) -> None:
    corpus = write(tmp_path / "large.txt", PROSE * 300_000)
    assert corpus.n_bytes > 2.5 * 10**7
    grown = run_script(
        f"""
import resource
corpus = open_corpus({corpus.spec!r})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
dataset = encode(corpus)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
assert len(dataset.train) + len(dataset.validation) == corpus.n_bytes
"""
    )
    assert int(grown) < 16_000  # kilobytes


# --- what a text may be ---------------------------------------------------------------------------


def test_a_text_shorter_than_the_context_says_what_would_fit(tmp_path: Path) -> None:
    corpus, tokenizer = write(tmp_path / "a.txt", "to be or not to be " * 100), ByteTokenizer()

    def encode(context_length: int, corpus: Corpus = corpus) -> TokenDataset:
        return encode_corpus(corpus, tokenizer, validation_fraction=0.1, context_length=context_length, device="cpu")

    with pytest.raises(UserError) as caught:
        encode(256)
    assert str(caught.value) == (
        "the text has 1,710 tokens to train on and 190 to validate on, but a context length of 256 needs at least "
        "257 of each; choose a context length of at most 189 or a longer text"
    )
    with pytest.raises(UserError, match="at most 189"):
        encode(190)
    assert len(encode(189).validation) == 190
    with pytest.raises(UserError, match="at least 2 of each; choose a longer text"):
        encode(1, write(tmp_path / "b.txt", "to be"))


def test_characters_without_a_token_go_as_the_policy_says(tmp_path: Path) -> None:
    n = 20_000
    corpus = write(tmp_path / "a.txt", "abcab" * 9 * n + "abd—b" * n)
    for _ in range(2):  # written, and read back
        dropped = encode(corpus, CharTokenizer("ab"))
        assert dropped.left_out == {"c": 9 * n, "d": n, "—": n}
        assert (len(dropped.train), len(dropped.validation), dropped.validation_bytes) == (36 * n, 3 * n, 3 * n)
    token = encode(corpus, CharTokenizer("ab", "token"))
    assert token.validation.tolist() == [0, 1, 2, 2, 1] * n
    assert (token.left_out, token.validation_bytes) == ({}, 7 * n)
    with pytest.raises(UserError, match=r"a\.txt cannot be encoded: .*'c', 'd', '—'; leave them out"):
        encode(corpus, CharTokenizer("ab", "refuse"))
    with pytest.raises(UserError, match="has 0 tokens to train on"):
        encode(corpus, CharTokenizer("x"))


def test_tokenizer_errors_are_not_hidden(corpus: Corpus) -> None:
    class Broken(ByteTokenizer):
        def encode(self, text: str, literal: bool = False):
            raise TokenizerError("no")

    with pytest.raises(TokenizerError, match="no"):
        encode(corpus, Broken())
    assert files() == []


# --- special tokens that a text names -------------------------------------------------------------

STORY = "Once there was a fox who lost his hat. He found it.\n<|endoftext|>\n"


def story_tokenizer() -> Tokenizer:
    return build_tokenizer("bpe", alphabet="", pieces=lambda: [STORY * 9], bpe_vocab_size=300)


def encode_stories(corpus: Corpus, fraction: float = 0.3, literal: bool = False) -> TokenDataset:
    return encode_corpus(
        corpus, story_tokenizer(), validation_fraction=fraction, context_length=16, device="cpu", literal=literal
    )


@pytest.mark.parametrize("length", [1, 5, 13, 64, 10**6])
def test_pieces_do_not_cut_the_name_of_a_token(tmp_path: Path, length: int) -> None:
    text, tokenizer = STORY * 60, story_tokenizer()
    dataset = encode_stories(replace(write(tmp_path / "a.txt", text), source=InPieces(text, length)))
    ids = [*dataset.train.tolist(), *dataset.validation.tolist()]
    assert ids.count(tokenizer.vocab_size - 1) == 60
    assert ids == tokenizer.encode(text).tolist()


@pytest.mark.parametrize("length", [4, 10**6])
def test_a_token_that_is_named_at_the_split_validates_as_a_whole(tmp_path: Path, length: int) -> None:
    tokenizer, start = story_tokenizer(), len(STORY * 40) + STORY.index("<")
    text = STORY * 60
    corpus = replace(write(tmp_path / "a.txt", text), source=InPieces(text, length))
    for split in range(start - 2, start + 16):
        fraction = 1 - (split + 0.5) / len(text)
        assert split_position(len(text), fraction) == split
        border = start if start < split < start + len("<|endoftext|>") else split
        dataset = encode_stories(corpus, fraction)
        assert dataset.train.tolist() == tokenizer.encode(text[:border]).tolist()
        assert dataset.validation.tolist() == tokenizer.encode(text[border:]).tolist()
        assert dataset.validation_bytes == len(text) - border
        literally = encode_stories(corpus, fraction, literal=True)
        assert literally.train.tolist() == tokenizer.encode(text[:split], literal=True).tolist()
        assert literally.validation.tolist() == tokenizer.encode(text[split:], literal=True).tolist()


def test_the_cache_tells_tokens_from_their_names_as_text(tmp_path: Path) -> None:
    corpus = write(tmp_path / "a.txt", STORY * 16_000)
    tokenizer = story_tokenizer()
    for literal in (True, False, True, False):
        dataset = encode_stories(corpus, literal=literal)
        assert (dataset.train == tokenizer.vocab_size - 1).any() == (not literal)
    assert files() == [".ids", ".ids", ".json", ".json"]
