"""What is remembered of a large text, so that it need not be read to be opened: never more than is true."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from minigpt_tui.data import catalog
from minigpt_tui.data.corpus import Corpus, open_corpus

from .test_corpus import PROSE, write


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A corpus of files that nobody has touched for an hour, large by one that is not text; and a home of its own."""
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path / "own"))
    folder = tmp_path / "folder"
    settle(write(folder / "a.txt", PROSE))
    settle(write(folder / "b.txt", ("café\r\n" * 2000).encode("cp1252")))
    settle(write(folder / "c.bin", b"\0" * 100))
    settle(write(folder / "large.bin", b"\0" * 8 * 10**6))
    return folder


def settle(path: Path) -> Path:
    """Let the last writing of a file lie back some time."""
    an_hour_ago = time.time() - 3600
    os.utime(path, (an_hour_ago, an_hour_ago))
    return path


def read_through(spec: Path) -> tuple[Corpus, bool]:
    """The corpus, and whether its files were read to open it."""
    fractions: list[float] = []
    corpus = open_corpus(str(spec), progress=fractions.append)
    assert fractions == sorted(fractions)
    return corpus, bool(fractions)


def test_a_large_text_that_nobody_touched_is_not_read_to_open_it(folder: Path) -> None:
    first, was_read = read_through(folder)
    assert was_read
    again, was_read = read_through(folder)
    assert not was_read
    assert again == first
    assert again.read() == first.read() == PROSE + "\n" + "café\n" * 2000
    assert again.notices == first.notices
    assert len(first.notices) == 3
    assert (again.n_files, again.preview) == (2, PROSE[:300])


def test_a_small_text_is_read_anew(folder: Path) -> None:
    (folder / "large.bin").unlink()
    assert [read_through(folder)[1] for _ in range(2)] == [True, True]


def test_files_written_a_moment_ago_may_change_again_unseen(folder: Path) -> None:
    (folder / "a.txt").touch()
    assert [read_through(folder)[1] for _ in range(2)] == [True, True]


def rewrite_in_place(folder: Path) -> None:
    """Another text of the same length, with the old time of change."""
    path = folder / "a.txt"
    status = path.stat()
    with path.open("r+b") as file:
        file.write(b"Twice")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize(
    "change",
    [
        rewrite_in_place,
        lambda folder: settle(write(folder / "a.txt", PROSE + "more")),
        lambda folder: settle(write(folder / "new.txt", "new")),
        lambda folder: (folder / "b.txt").unlink(),
        lambda folder: (folder / "b.txt").rename(folder / "d.txt"),
        lambda folder: settle(write(folder / "c.bin", "text by now")),
        lambda folder: (folder / "a.txt").rename(folder / ".a.txt"),
    ],
)
def test_a_change_is_never_missed(folder: Path, change: Callable[[Path], object]) -> None:
    before, _ = read_through(folder)
    if os.name == "nt" and change is rewrite_in_place:
        pytest.skip("this system tells no time of change but the one that anybody can set")
    change(folder)
    after, was_read = read_through(folder)
    assert was_read
    assert after != before
    assert after.fingerprint == hashlib.sha256(after.read().encode()).hexdigest()


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-10],
        lambda content: content.replace(b"a.txt", b"b.txt"),
        lambda content: b'0\n{"stamp": null}',
        lambda content: b"\xff" * 100,
    ],
)
def test_a_damaged_memory_is_as_good_as_none(folder: Path, damage: Callable[[bytes], bytes]) -> None:
    first, _ = read_through(folder)
    (memo,) = (catalog.cache_folder() / "scans").iterdir()
    memo.write_bytes(damage(memo.read_bytes()))
    again, was_read = read_through(folder)
    assert was_read
    assert again == first
    assert not read_through(folder)[1]


def test_large_texts_need_no_cache_that_can_be_written(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINIGPT_HOME", str(write(tmp_path / "home", "a file where a folder should be")))
    assert [read_through(folder)[1] for _ in range(2)] == [True, True]
