"""What is said of a text before it is learned."""

from __future__ import annotations

from pathlib import Path

import pytest
from minigpt_tui.data import text_preview
from minigpt_tui.data.corpus import open_corpus
from minigpt_tui.data.storage.errors import UserError
from minigpt_tui.data.text_preview import TextPreview, preview_of


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path / "home"))


def of(path: Path) -> TextPreview:
    preview = preview_of(open_corpus(str(path)))
    assert preview is not None
    return preview


@pytest.mark.parametrize(
    ("text", "lines", "written", "repeated"),
    [
        ("one\ntwo\none\n", 3, 3, 1),
        ("one\ntwo\none", 3, 3, 1),
        ("one\n\n\n  \none\n", 5, 2, 1),
        ("no end of a line", 1, 1, 0),
        ("a\r\nb\r\na\r\n", 3, 3, 1),
        ("a\n" * 50_000, 50_000, 50_000, 49_999),
    ],
    ids=["three lines", "no last end", "blank lines", "one line", "windows", "one line again and again"],
)
def test_lines_and_how_many_of_them_are_repeated(tmp_path: Path, text: str, lines: int, written: int, repeated: int):
    path = tmp_path / "text.txt"
    path.write_bytes(text.encode())
    preview = of(path)
    assert (preview.n_lines, preview.n_written, preview.n_repeated, preview.complete) == (
        lines,
        written,
        repeated,
        True,
    )


def test_the_encodings_of_its_files_and_who_speaks(tmp_path: Path):
    folder = tmp_path / "plays"
    folder.mkdir()
    play = "ROMEO:\nAy, my lord of Verona.\n\nJULIET:\nO Romeo, come!\n\n" * 30
    (folder / "1.txt").write_text(play)
    (folder / "2.txt").write_text(play)
    (folder / "3.txt").write_bytes(("Der Müller zählt die Säcke, größer als gestern.\n" * 30).encode("cp1252"))
    preview = of(folder)
    assert preview.encodings[0] == "UTF-8"
    assert len(preview.encodings) == 2
    assert preview.speakers is not None
    assert set(preview.speakers.names) == {"ROMEO", "JULIET"}


def test_of_a_long_text_a_part_is_looked_at_and_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "long.txt"
    path.write_text("".join(f"line {number}\n" for number in range(200_000)))
    monkeypatch.setattr(text_preview, "_MOST_CHARACTERS", 500_000)
    preview = of(path)
    assert not preview.complete
    assert 500_000 <= preview.n_characters < 1_000_000
    monkeypatch.setattr(text_preview, "_MOST_CHARACTERS", 10**9)
    assert of(path).complete
    monkeypatch.setattr(text_preview, "_MOST_LINES", 1000)
    assert not of(path).complete


def test_it_can_be_cancelled_and_a_file_that_is_gone_is_named(tmp_path: Path):
    path = tmp_path / "text.txt"
    path.write_text("one\n" * 1000)
    corpus = open_corpus(str(path))
    assert preview_of(corpus, lambda: True) is None
    path.unlink()
    with pytest.raises(UserError, match="changed while it was read"):
        preview_of(corpus)
