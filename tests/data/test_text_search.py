"""Texts that are found while their name is typed."""

from __future__ import annotations

from pathlib import Path

import pytest
from minigpt_tui.data import text_search
from minigpt_tui.data.text_search import find_texts


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("Novel one.txt", "notes.md", ".hidden.txt", "picture.png", "books/novel two.txt", "a/b/c/d/novel.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 2000)
    return tmp_path


def names(typed: str, *earlier: str) -> list[str]:
    return [found.name for found in find_texts(typed, earlier)]


def test_nothing_typed_offers_the_catalogue_and_the_texts_of_earlier_runs():
    assert names("", "/far/away.txt", "tales", "/far/away.txt") == ["tales", "tinyshakespeare", "/far/away.txt"]


def test_words_are_found_in_the_catalogue_and_among_the_text_files_below_here():
    assert names("shakes") == ["tinyshakespeare"]
    assert names("novel") == ["./Novel one.txt", "./books/novel two.txt"]
    assert names("TWO novel") == ["./books/novel two.txt"]
    assert names("picture") == []
    assert names("away", "/far/away.txt") == ["/far/away.txt"]


def test_a_path_is_looked_for_in_its_own_folder(here: Path):
    assert names(f"{here}/no") == [f"{here}/Novel one.txt", f"{here}/notes.md"]
    assert names("~/OOK") == ["~/books/"]
    assert names(f"{here}/.h") == [f"{here}/.hidden.txt"]
    assert names("/not/there/x") == []
    assert names("~nobody-of-that-name/x") == []
    assert names(f"{here}/\0") == []


def test_a_search_is_bounded_however_many_files_there_are(here: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(text_search, "_MOST_ENTRIES", 50)
    many = here / "many"
    many.mkdir()
    for number in range(200):
        (many / f"text{number}.txt").touch()
    assert len(names(f"{many}/text")) == 20
    assert len(names("text")) <= 20
