import codecs
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from minigpt_tui.data import catalog
from minigpt_tui.data.corpus import (
    check_length,
    normalise,
    open_corpus,
    split_position,
)
from minigpt_tui.data.storage.errors import UserError
from minigpt_tui.data.tales.generator import generate
from minigpt_tui.data.text_files import Reading

PROSE = "Once there was a fox. She said: “Where is my hat?”\n" * 100
TINYSHAKESPEARE = Path(__file__).parents[3] / "shared" / "data" / "tinyshakespeare.txt"


@pytest.fixture(autouse=True)
def _own_home(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path_factory.mktemp("home")))


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refusal(spec: str | Path) -> str:
    """The sentence with which a spec is refused."""
    with pytest.raises(UserError) as caught:
        open_corpus(str(spec))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_file_is_described_and_can_be_read_again(tmp_path: Path) -> None:
    path = write(tmp_path / "fox.txt", PROSE)
    corpus = open_corpus(str(path))
    assert corpus.read() == corpus.read() == PROSE
    assert (corpus.name, corpus.spec) == ("fox.txt", str(path))
    assert corpus.fingerprint == hashlib.sha256(PROSE.encode()).hexdigest()
    assert (corpus.n_characters, corpus.n_bytes, corpus.n_files, corpus.notices) == (5100, 5500, 1, ())
    assert corpus.alphabet == "".join(sorted(set(PROSE)))
    assert corpus.preview == PROSE[:300]
    assert corpus.entropy_floor(0, 10) is None


def test_a_spec_means_the_same_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "fox.txt", PROSE)
    write(tmp_path / "tales", PROSE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert normalise(" fox.txt ") == normalise("~/fox.txt") == normalise("./x/../fox.txt") == str(tmp_path / "fox.txt")
    assert open_corpus("fox.txt").spec == str(tmp_path / "fox.txt")
    address = (tmp_path / "fox.txt").as_uri()
    assert normalise(address) == normalise("'./fox.txt'") == str(tmp_path / "fox.txt")
    assert normalise("tales:10MB") == "tales:10MB"
    assert normalise("tinyshakespeare") == "tinyshakespeare"
    assert normalise("./tales") == str(tmp_path / "tales")
    assert normalise(normalise("~/fox.txt")) == normalise("~/fox.txt")


@pytest.mark.parametrize(
    ("content", "notice"),
    [
        (PROSE.encode(), None),
        (codecs.BOM_UTF8 + PROSE.encode(), None),
        (PROSE.encode("utf-16"), "fox.txt is not UTF-8; read as UTF-16"),
        (codecs.BOM_UTF16_BE + PROSE.encode("utf-16-be"), "fox.txt is not UTF-8; read as UTF-16"),
        (PROSE.encode("utf-32"), "fox.txt is not UTF-8; read as UTF-32"),
        (
            PROSE.encode("cp1252"),
            "fox.txt is not UTF-8; read as Windows-1252 (cp1252), 99% sure (“Once there was a fox. She said: “Where is "
            "my hat?” / Once th …”); --encoding NAME, or that field of the app's form, reads it as another",
        ),
        (
            PROSE.replace("\n", "\r\n").encode(),
            "fox.txt is written with Windows or old Mac line ends; read with plain ones",
        ),
        (
            PROSE.replace("\n", "\r").encode(),
            "fox.txt is written with Windows or old Mac line ends; read with plain ones",
        ),
    ],
    ids=["utf-8", "mark", "utf-16", "utf-16-be", "utf-32", "cp1252", "crlf", "cr"],
)
def test_encodings_and_line_ends_are_found_out_and_reported(tmp_path: Path, content: bytes, notice: str | None) -> None:
    corpus = open_corpus(str(write(tmp_path / "fox.txt", content)))
    assert corpus.read() == PROSE
    assert corpus.notices == ((notice,) if notice else ())
    assert corpus.fingerprint == hashlib.sha256(PROSE.encode()).hexdigest()


def test_bytes_that_windows_1252_lacks_are_latin_1(tmp_path: Path) -> None:
    corpus = open_corpus(str(write(tmp_path / "old.txt", b"caf\xe9 \x81 " * 50)))
    assert corpus.read() == "café \x81 " * 50
    (notice,) = corpus.notices
    assert notice.startswith("old.txt is not UTF-8; read as Latin-1, which is a guess (“café \x81 café")


def test_large_files_are_read_in_pieces_without_a_seam(tmp_path: Path) -> None:
    r"""Characters of three bytes and \r\n straddle every border there is; a late bad byte stays one."""
    text = "€uro\r\n" * 400_000
    path = write(tmp_path / "large.txt", text)
    fractions: list[float] = []
    corpus = open_corpus(str(path), progress=fractions.append)
    assert corpus.read() == text.replace("\r\n", "\n")
    assert fractions == sorted(fractions)
    assert len(fractions) > 1
    assert fractions[-1] == 1.0
    assert corpus.fingerprint == hashlib.sha256(text.replace("\r\n", "\n").encode()).hexdigest()
    assert corpus.alphabet == "\noru€"
    write(path, text.encode() + b"\xe9")
    damaged = open_corpus(str(path))
    assert damaged.notices[0] == "large.txt is UTF-8 with 1 bad byte, in line 400,001, column 1; read as U+FFFD"
    assert damaged.read() == text.replace("\r\n", "\n") + "\ufffd"


def test_a_folder_is_joined_in_the_order_of_its_paths(tmp_path: Path) -> None:
    write(tmp_path / "b.txt", "B ends with a line end\n")
    write(tmp_path / "a" / "z.txt", "Z has none")
    write(tmp_path / "a" / "deeper" / "y.md", "Y\r\n")
    write(tmp_path / "a.txt", "A")
    write(tmp_path / ".hidden.txt", "secret")
    write(tmp_path / ".git" / "config", "secret")
    write(tmp_path / "a" / "picture.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    write(tmp_path / "a" / "empty.txt", "")
    write(tmp_path / "a" / "blank.txt", " \n")
    write(tmp_path / "old.txt", b"caf\xe9")
    corpus = open_corpus(str(tmp_path))
    assert corpus.preview == corpus.read() == "Y\n\nZ has none\n\nA\n\nB ends with a line end\n\ncafé"
    assert corpus.name == tmp_path.name
    assert set(corpus.notices) == {
        ".git and 1 more are hidden; left out",
        "picture.png is binary, not text; left out",
        "blank.txt and 1 more are empty; left out",
        "old.txt is not UTF-8; read as Windows-1252 (cp1252), 99% sure (“café …”); --encoding NAME, or that field of "
        "the app's form, reads it as another",
        "y.md is written with Windows or old Mac line ends; read with plain ones",
    }
    assert corpus.n_files == 5


def test_the_files_of_a_folder_stand_in_the_order_in_which_people_count(tmp_path: Path) -> None:
    for name in (
        "chapter 10.txt",
        "chapter 2.txt",
        "chapter 1.txt",
        "part 2/a.txt",
        "part 10/a.txt",
        "007.txt",
        "8.txt",
    ):
        write(tmp_path / name, name)
    in_order = ["007.txt", "8.txt", "chapter 1.txt", "chapter 2.txt", "chapter 10.txt", "part 2/a.txt", "part 10/a.txt"]
    assert open_corpus(str(tmp_path)).read().split("\n\n") == in_order
    before = Reading(rules=1)  # as runs have read it that were made before
    assert open_corpus(str(tmp_path), reading=before).read().split("\n\n") == sorted(in_order)


def test_links_are_followed_to_files_and_never_to_folders(tmp_path: Path) -> None:
    write(tmp_path / "corpus" / "a.txt", "A")
    write(tmp_path / "elsewhere" / "b.txt", "B")
    (tmp_path / "corpus" / "b.txt").symlink_to(tmp_path / "elsewhere" / "b.txt")
    (tmp_path / "corpus" / "up").symlink_to(tmp_path)
    (tmp_path / "corpus" / "broken.txt").symlink_to(tmp_path / "nowhere")
    (tmp_path / "corpus" / "ring").symlink_to(tmp_path / "corpus" / "ring")
    corpus = open_corpus(str(tmp_path / "corpus"))
    assert corpus.read() == "A\n\nB"
    assert "up is reached by a link; left out" in corpus.notices
    assert "broken.txt is not readable (No such file or directory); left out" in corpus.notices
    assert len(corpus.notices) == 3
    (tmp_path / "link").symlink_to(tmp_path / "corpus")
    assert open_corpus(str(tmp_path / "link")).read() == "A\n\nB"


def test_folders_are_entered_only_so_deep(tmp_path: Path) -> None:
    folder = tmp_path
    for level in range(40):
        folder = folder / "d"
        write(folder / "a.txt", str(level))
    corpus = open_corpus(str(tmp_path))
    assert corpus.read().split("\n\n") == [str(level) for level in range(32)]
    assert corpus.notices == ("d is more than 32 folders deep; left out",)


def test_what_is_not_text_is_refused_with_what_to_do(tmp_path: Path) -> None:
    empty = "is empty; choose a file with at least a few thousand characters of text"
    assert refusal(write(tmp_path / "shopping.txt", "")) == f"shopping.txt {empty}"
    assert refusal(write(tmp_path / "blank.txt", " \n\t\n")) == f"blank.txt {empty}"
    assert refusal(write(tmp_path / "bom.txt", codecs.BOM_UTF16_LE)) == f"bom.txt {empty}"
    binary = (
        "is binary, not text; choose plain text, export the text from it first, or name its encoding, as --encoding "
        "utf-16-le"
    )
    assert refusal(write(tmp_path / "nul.txt", "fox\0fox" * 100)) == f"nul.txt {binary}"
    assert refusal(write(tmp_path / "noise", bytes(range(1, 256)) * 10)) == f"noise {binary}"
    assert "half.txt is damaged" in refusal(write(tmp_path / "half.txt", PROSE.encode("utf-16")[:-1]))
    missing = refusal(tmp_path / "nowhere.txt")
    assert (
        missing
        == f"{tmp_path / 'nowhere.txt'} is neither a file nor a folder nor a known corpus (tales, tinyshakespeare)"
    )
    assert "neither a file nor a folder" in refusal("a\0b")
    assert "neither a file nor a folder" in refusal(tmp_path / "shopping.txt" / "below")
    assert "neither a file nor a folder" in refusal("x" * 5000)
    assert refusal(" ") == "no corpus is named; choose a file, a folder or one of tales, tinyshakespeare"


def test_a_folder_without_text_says_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert refusal(tmp_path / "empty") == (
        f"the folder {tmp_path / 'empty'} has no text (it is empty); choose a folder with plain text files"
    )
    write(tmp_path / "pictures" / "a.png", b"\0" * 100)
    write(tmp_path / "pictures" / ".thumbs", "x")
    assert refusal(tmp_path / "pictures") == (
        f"the folder {tmp_path / 'pictures'} has no text (.thumbs is hidden; a.png is binary, not text); "
        "choose a folder with plain text files"
    )


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with a name are a Unix matter")
def test_a_pipe_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert refusal(tmp_path / "pipe") == "pipe is special (a pipe or a device); choose a plain text file or a folder"
    write(tmp_path / "a.txt", "A")
    assert open_corpus(str(tmp_path)).read() == "A"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "locked.txt", PROSE)
    path.chmod(0)
    assert "locked.txt is not readable (Permission denied)" in refusal(path)


def test_the_text_is_split_where_training_ends() -> None:
    assert split_position(1_115_394, 0.1) == 1_003_854
    check_length(100, 17, 16)
    with pytest.raises(UserError, match="at most 15 or a longer text"):
        check_length(100, 16, 16)


def test_tiny_shakespeare_is_found_by_name_when_the_file_is_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    if not TINYSHAKESPEARE.exists():
        pytest.skip("the file is not here")
    place = catalog.cache_folder() / "corpora" / "tinyshakespeare.txt"
    place.parent.mkdir(parents=True)
    shutil.copy(TINYSHAKESPEARE, place)
    monkeypatch.setattr(socket, "socket", None)
    corpus = open_corpus("tinyshakespeare")
    assert (corpus.name, corpus.spec, corpus.n_characters) == ("tinyshakespeare", "tinyshakespeare", 1_115_394)
    assert corpus.fingerprint == catalog.CATALOG["tinyshakespeare"].sha256
    assert len(corpus.alphabet) == 65


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("tales:", "not understood"),
        ("tales:10", "not understood"),
        ("tales:1MB:seed=x", "not understood"),
        ("tales:1MB:seed=-1", "not understood"),
        ("tales:0.9KB", "out of range"),
        ("tales:1.1GB", "out of range"),
    ],
)
def test_a_tales_spec_that_cannot_be_is_refused(spec: str, why: str) -> None:
    assert why in refusal(spec)


def test_tales_are_made_in_the_size_and_from_the_seed_that_the_spec_says() -> None:
    small, same, other = (open_corpus(spec) for spec in ("tales:20KB:seed=1", "tales:20KB", "tales:20KB:seed=2"))
    assert small.read() == same.read()
    assert small.read() != other.read()
    assert 20_000 <= small.n_characters < 30_000
    assert (small.name, other.spec) == ("tales", "tales:20KB:seed=2")
    assert open_corpus("tales:0.05MB").n_characters > 2 * small.n_characters


def test_tales_and_their_entropy_come_from_the_cache_the_second_time() -> None:
    """A process that finds them there imports no grammar for the text, and runs none for its entropy."""
    corpus = open_corpus("tales:20KB")
    floor = corpus.entropy_floor(15_000, corpus.n_characters)
    assert floor == generate(20_000, 1).nats_per_character(15_000, corpus.n_characters)
    script = """
import sys
from minigpt_tui.data.corpus import open_corpus
corpus = open_corpus("tales:20KB")
assert "minigpt_tui.data.tales.generator" not in sys.modules
import minigpt_tui.data.tales.generator
minigpt_tui.data.tales.generator.generate = None
print(corpus.fingerprint, corpus.entropy_floor(15_000, corpus.n_characters))
"""
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert process.stdout.split() == [corpus.fingerprint, str(floor)]


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"\0" * 21)])
def test_a_lost_or_damaged_table_of_entropy_is_made_again(damage: Callable[[Path], object]) -> None:
    corpus = open_corpus("tales:20KB")
    floor = corpus.entropy_floor(0, 20_000)
    (table,) = (catalog.cache_folder() / "corpora").glob("tales-20000-1-*.nats")
    damage(table)
    assert corpus.entropy_floor(0, 20_000) == floor


def test_a_changed_grammar_makes_its_texts_anew(tmp_path: Path) -> None:
    installed = Path(catalog.__file__).parent
    copy = shutil.copytree(installed, tmp_path / "minigpt_tui" / "data", ignore=shutil.ignore_patterns("__pycache__"))
    script = "from minigpt_tui.data.corpus import open_corpus; print(open_corpus('tales:20KB').fingerprint)"

    def fingerprint() -> str:
        environment = os.environ | {"PYTHONPATH": str(tmp_path)}
        command = [sys.executable, "-c", script]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()

    assert fingerprint() == open_corpus("tales:20KB").fingerprint
    words = copy / "tales" / "words.py"
    words.write_text(words.read_text().replace("Mara", "Mira"))
    assert fingerprint() != open_corpus("tales:20KB").fingerprint


def test_tales_need_no_cache_that_can_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    expected = open_corpus("tales:20KB")
    monkeypatch.setenv("MINIGPT_HOME", str(write(tmp_path / "home", "a file where a folder should be")))
    corpus = open_corpus("tales:20KB")
    assert corpus == expected
    assert corpus.entropy_floor(0, 20_000) == expected.entropy_floor(0, 20_000)


def test_a_text_that_changes_between_two_readings_is_noticed(tmp_path: Path) -> None:
    path = write(tmp_path / "fox.txt", PROSE)
    corpus = open_corpus(str(path))
    write(path, PROSE.replace("fox", "cat"))
    with pytest.raises(UserError, match=r"fox\.txt .* changed while it was read; try again"):
        corpus.read()
    path.unlink()
    with pytest.raises(UserError, match="changed while it was read"):
        corpus.read()


def test_reading_a_large_text_takes_little_memory(tmp_path: Path) -> None:
    path = write(tmp_path / "large.txt", (PROSE + "日本語\n" * 100) * 2000)
    size = path.stat().st_size
    assert size > 10**7
    tracemalloc.start()
    try:
        corpus = open_corpus(str(path))
        assert sum(map(len, corpus.pieces())) == corpus.n_characters
        assert tracemalloc.get_traced_memory()[1] < 4 * 10**6
    finally:
        tracemalloc.stop()
    assert corpus.alphabet == "".join(sorted(set(PROSE + "日本語")))


def test_opening_and_reading_can_be_given_up(tmp_path: Path) -> None:
    path = write(tmp_path / "large.txt", PROSE * 1000)

    def give_up(fraction: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_corpus(str(path), progress=give_up)
    corpus = open_corpus(str(path))
    with pytest.raises(KeyboardInterrupt):
        for _ in corpus.pieces(give_up):
            pass
