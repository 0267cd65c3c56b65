"""What of a text stands word for word in a corpus: the same as a search that tries everything."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from minigpt_tui.data.corpus import Corpus, open_corpus
from minigpt_tui.data.quotes import matches, suffix_order
from minigpt_tui.data.quotes.build import build_index
from minigpt_tui.data.quotes.index import QuoteIndex
from minigpt_tui.data.quotes.quotes import Passage, Quotes
from minigpt_tui.data.quotes.stored_text import MANY

ALPHABETS = ["ab", "ab\n", "aé漢😀", "e\u0301\u0308n~", "\ta~\x80\u07ff\u0800\uffff\U00010000\U0010ffff"]
DEEP = "\U0001f600" * 40 + "ab" * 200  # agrees with itself for far more than is sorted by


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path / "home"))
    return tmp_path


def corpus_of(folder: Path, *texts: str) -> Corpus:
    folder.mkdir(exist_ok=True)
    for number, text in enumerate(texts, 1):
        (folder / f"{number}.txt").write_text(text, encoding="utf-8", newline="")
    return open_corpus(str(folder))


def longest_at(text: str, start: int, files: tuple[str, ...]) -> int:
    """How long the longest passage from `start` on is, by trying."""
    length = 0
    while start + length < len(text) and any(text[start : start + length + 1] in file for file in files):
        length += 1
    return length


def share(lengths: list[int], minimum: int) -> float:
    covered = {
        place for start, length in enumerate(lengths) if length >= minimum for place in range(start, start + length)
    }
    return len(covered) / len(lengths) if lengths else 0.0


def check(index: QuoteIndex, corpus: Corpus, files: tuple[str, ...], text: str) -> Quotes:
    """Compare with the search that tries everything, and the place with what stands there."""
    lengths = [longest_at(text, start, files) for start in range(len(text))]
    quotes = index.find(text)
    assert (quotes.share10, quotes.share20, quotes.share50) == tuple(share(lengths, n) for n in (10, 20, 50))
    ends = [start + length for start, length in enumerate(lengths)]
    inner = [start > 0 and ends[start - 1] >= ends[start] for start in range(len(text))]
    assert [*quotes.passages] == [
        (start, ends[start]) for start in range(len(text)) if lengths[start] >= 10 and not inner[start]
    ]
    for start, end in quotes.passages[:3]:
        check_occurrences(index, files, text[start:end])
    longest = max(lengths, default=0)
    if not longest:
        assert quotes.longest is None
        return quotes
    assert quotes.longest is not None
    assert (quotes.longest.start, len(quotes.longest)) == (lengths.index(longest), longest)
    check_place(index, corpus, files, quotes.longest, text)
    return quotes


def check_occurrences(index: QuoteIndex, files: tuple[str, ...], quoted: str) -> None:
    """All places, in their order, and the text around one."""
    found = index.occurrences(quoted, 10_000)
    begins = list[tuple[str, int, int]]()
    for number, file in enumerate(files, 1):
        starts = (start for start in range(len(file)) if file.startswith(quoted, start))
        lines = (file[:start].rpartition("\n") for start in starts)
        begins += [(f"{number}.txt", above.count("\n") + bool(end) + 1, len(line) + 1) for above, end, line in lines]
    assert [(place.file, place.line, place.column) for place in found.places] == begins
    assert found.complete
    assert len(index.occurrences(quoted, 1).places) == 1
    assert index.occurrences(quoted, 1).complete == (len(begins) == 1)
    assert index.around(found.places[-1], len(quoted), 0, 0) == ("", quoted, "")


def check_place(index: QuoteIndex, corpus: Corpus, files: tuple[str, ...], passage: Passage, text: str) -> None:
    quoted, place = text[passage.start : passage.end], passage.place
    assert corpus.read()[place.offset : place.offset + len(quoted)] == quoted
    file = files[int(place.file.removesuffix(".txt")) - 1]
    lines = file.split("\n")
    begin = sum(len(line) + 1 for line in lines[: place.line - 1]) + place.column - 1
    assert file[begin : begin + len(quoted)] == quoted
    end = begin + len(quoted)
    assert index.surroundings(passage, 7, 5) == (file[max(0, begin - 7) : begin], quoted, file[end : end + 5])


@settings(max_examples=60, deadline=None)
@given(data=st.data(), in_memory=st.sampled_from([3, 16, 10_000]), many=st.sampled_from([1, 4, MANY]))
def test_it_equals_a_search_that_tries_everything(data: st.DataObject, in_memory: int, many: int) -> None:
    characters = st.sampled_from(data.draw(st.sampled_from(ALPHABETS)))
    texts = data.draw(st.lists(st.text(characters, max_size=120), min_size=1, max_size=3))
    files = tuple(f"a{text}" for text in texts)  # an empty file is left out of a corpus
    asked = st.one_of(
        st.text(characters, max_size=60),
        st.lists(st.sampled_from([*files, DEEP]), max_size=2).map("".join),
        st.builds(lambda text, start, more: text[start:] + more, st.sampled_from(files), st.integers(0, 90), st.text()),
    )
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINIGPT_HOME", str(Path(folder) / "home"))
        patch.setattr(suffix_order, "MANY", many)
        patch.setattr(matches, "MANY", many)
        corpus = corpus_of(Path(folder) / "texts", *files)
        index = build_index(corpus, in_memory=in_memory)
        for text in data.draw(st.lists(asked, min_size=1, max_size=5)):
            check(index, corpus, files, text)


@pytest.mark.parametrize("in_memory", [40, 1_000_000], ids=["distributed", "in memory"])
@pytest.mark.parametrize(
    "file",
    [
        "ab" * 700,
        "a" * 1500,
        DEEP + "x" + DEEP + "y" + DEEP[3:],
        ("the cat sat on the mat and " * 3 + "the end. ") * 20,
        "".join(f"{'=' * 79}\n{number % 7}\n" for number in range(20)),
    ],
    ids=["period", "one letter", "long repeats", "sentences", "rules"],
)
def test_texts_that_repeat_themselves(home: Path, file: str, in_memory: int) -> None:
    corpus = corpus_of(home / "texts", file)
    index = build_index(corpus, in_memory=in_memory)
    middle = file[len(file) // 3 : len(file) // 2]
    for text in (
        file[5:400],
        middle + "!" + middle[1:],
        file[:90] + file[:90],
        "b" + "a" * 200 + "b",
        "sat on the end.",
    ):
        check(index, corpus, (file,), text)


def test_a_passage_ends_where_its_file_ends(home: Path) -> None:
    files = ("one two three four five", "six seven eight nine ten\n", "\nsix seven eight nine")
    corpus = corpus_of(home / "texts", *files)
    index = build_index(corpus)
    assert "five\n\nsix seven" in corpus.read()
    for text in ("four five\n\nsix seven", "nine ten\n\n\nsix", corpus.read()):
        check(index, corpus, files, text)
    found = index.find("four five\n\nsix seven").longest
    assert found is not None
    assert (found.place.file, found.start, found.end) == ("3.txt", 10, 20)  # with the line end before it


def test_the_place_is_found_in_a_long_text_of_characters_of_any_length(home: Path) -> None:
    rng = random.Random(7)
    files = tuple("".join(rng.choices("abc é漢😀\n", k=150_000)) for _ in range(2))
    corpus = corpus_of(home / "texts", *files)
    index = build_index(corpus, in_memory=50_000)
    for _ in range(40):
        file = rng.choice(files)
        start = rng.randrange(len(file) - 40)
        text = file[start : start + 40]
        found = index.find(text).longest
        assert found is not None
        assert len(found) == 40
        check_place(index, corpus, files, found, text)


@pytest.mark.parametrize(
    ("text", "longest", "share10"),
    [
        ("", 0, 0.0),
        ("cat", 3, 0.0),
        ("XYZ", 0, 0.0),
        ("\udcff\ud83d", 0, 0.0),
        ("the cat sa", 10, 1.0),
        ("the cat s", 9, 0),
    ],
    ids=["empty", "short", "foreign", "surrogates", "ten", "nine"],
)
def test_texts_about_which_little_can_be_said(home: Path, text: str, longest: int, share10: float) -> None:
    quotes = build_index(corpus_of(home / "texts", "the cat sat on the mat")).find(text)
    assert (len(quotes.longest) if quotes.longest else 0, quotes.share10) == (longest, share10)
    assert (quotes.share20, quotes.share50) == (0, 0)


def test_line_ends_and_encodings_are_those_of_the_training(home: Path) -> None:
    (home / "texts").mkdir()
    (home / "texts" / "1.txt").write_bytes("naïve café\r\nà la carte\r".encode("cp1252"))
    index = build_index(open_corpus(str(home / "texts")))
    found = index.find("a café\nà la carte\n!").longest
    assert found is not None
    assert (found.end - found.start, found.place.line, found.place.column) == (17, 1, 6)


def test_only_the_first_characters_are_searched_where_that_is_asked_for(home: Path) -> None:
    corpus = corpus_of(home / "texts", "learned by heart, ", "never seen before")
    build_index(corpus, 10)
    some, whole = QuoteIndex.open(corpus, 10), QuoteIndex.open(corpus)
    assert some is not None
    assert whole is None
    for text, length in (("learned by heart", 10), ("never seen", 2)):
        found = some.find(text).longest
        assert found is not None
        assert len(found) == length


def test_a_corpus_that_is_made_has_a_file_as_well(home: Path) -> None:
    corpus = open_corpus("tales:20KB")
    text = corpus.read()[5000:5080]
    found = build_index(corpus).find(text).longest
    assert found is not None
    assert (len(found), found.place.offset) == (80, 5000)
    assert found.place.file == corpus.name == "tales", "nobody knows the file that it is kept in"


# --- the cache --------------------------------------------------------------------------------------


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "truncated": truncate,
    "empty": lambda path: path.write_bytes(b""),
    "one bit": flip,
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\0\0\0\0"),
    "absent": lambda path: path.unlink(),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("suffix", [".json", ".text", ".places"])
def test_a_damaged_file_counts_as_absent_and_is_made_again(home: Path, suffix: str, damage: str) -> None:
    corpus = corpus_of(home / "texts", "the cat sat on the mat")
    build_index(corpus)
    assert QuoteIndex.open(corpus) is not None
    (path,) = (home / "home" / "cache" / "quotes").glob(f"*{suffix}")
    DAMAGE[damage](path)
    assert QuoteIndex.open(corpus) is None
    if damage == "a folder":
        path.rmdir()
    check(build_index(corpus), corpus, ("the cat sat on the mat",), "a cat sat on that mat")


def test_another_process_of_the_same_text_reads_what_is_there(home: Path) -> None:
    corpus = corpus_of(home / "texts", "the cat sat on the mat")
    build_index(corpus)
    folder = home / "home" / "cache" / "quotes"
    for path in [*folder.iterdir()]:  # as a copy of the folder has them
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content)
    index = QuoteIndex.open(corpus)
    assert index is not None
    check(index, corpus, ("the cat sat on the mat",), "a cat sat on that mat")


def test_the_same_text_in_other_files_has_an_index_of_its_own(home: Path) -> None:
    one = corpus_of(home / "one", "the cat\n\nsat down")
    two = corpus_of(home / "two", "the cat", "sat down")
    assert one.fingerprint == two.fingerprint
    build_index(one)
    assert QuoteIndex.open(two) is None
    build_index(two)
    for corpus, length in ((one, 17), (two, 8)):
        index = QuoteIndex.open(corpus)
        assert index is not None
        found = index.find("the cat\n\nsat down").longest
        assert found is not None
        assert len(found) == length


def test_a_building_that_is_ended_leaves_nothing_behind(home: Path) -> None:
    corpus = corpus_of(home / "texts", "the cat sat on the mat " * 50)
    fractions: list[float] = []

    def end_late(fraction: float) -> None:
        fractions.append(fraction)
        if fraction > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_index(corpus, progress=end_late, in_memory=50)
    assert fractions == sorted(fractions)
    assert [*(home / "home" / "cache" / "quotes").iterdir()] == []
    fractions.clear()
    build_index(corpus, progress=fractions.append, in_memory=50)
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
