"""What is written is there whole or not at all, and what was found out once is remembered while its file is sound."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from minigpt_tui.data.storage.atomic import complete_file, write_atomic
from minigpt_tui.data.storage.locations import folder
from minigpt_tui.data.storage.memo import recall, remember


def test_a_file_is_replaced_and_the_folder_above_is_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    write_atomic(path, "é\n")
    assert path.read_bytes() == "é\n".encode()
    write_atomic(path, b"\xff")
    assert path.read_bytes() == b"\xff"
    assert list(path.parent.iterdir()) == [path]


def test_an_error_while_writing_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_atomic(path, "old")

    def interrupted() -> None:
        with complete_file(path) as temporary:
            temporary.write_text("half of the n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_atomic(tmp_path / "folder", "text")
    assert list(tmp_path.iterdir()) == [tmp_path / "folder"]


@pytest.mark.parametrize("value", [None, 1.5, "é", [1, {"a": [None]}], {"stamp": "x"}])
def test_a_value_is_recalled_as_it_was_kept(tmp_path: Path, value: object) -> None:
    remember(tmp_path / "memo.json", value)
    assert recall(tmp_path / "memo.json") == value


@pytest.mark.parametrize(
    "damage", [lambda content: b"", lambda content: content[:-1], lambda content: content.replace(b"1", b"2")]
)
def test_a_damaged_memo_is_as_good_as_none(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "memo.json"
    assert recall(path) is None
    remember(path, {"count": 1})
    path.write_bytes(damage(path.read_bytes()))
    assert recall(path) is None


def test_a_memo_that_cannot_be_written_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file where a folder should be")
    remember(tmp_path / "a" / "memo.json", 1)
    assert recall(tmp_path / "a" / "memo.json") is None


def test_one_variable_moves_all_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path))
    assert (folder("data"), folder("cache")) == (tmp_path / "data", tmp_path / "cache")
    monkeypatch.setenv("MINIGPT_HOME", "~/elsewhere")
    assert folder("config") == Path.home() / "elsewhere" / "config"
    monkeypatch.delenv("MINIGPT_HOME")
    assert folder("state").is_absolute()
    assert "minigpt-tui" in folder("state").parts
