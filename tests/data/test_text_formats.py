"""What is no plain text is named before it is learned, with the command that makes a text of it."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest
from minigpt_tui.data.corpus import open_corpus
from minigpt_tui.data.storage.errors import UserError
from minigpt_tui.data.text_files import MarkupError, Reading

WORDS = "Once there was a fox who had a hat. " * 20


@pytest.fixture(autouse=True)
def _own_home(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path_factory.mktemp("home")))


def archive(**members: str) -> bytes:
    """A ZIP archive; `mimetype` stands in it as it is."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for name, text in members.items():
            file.writestr(name.replace("__", "/"), text)
    return content.getvalue()


MARKUP = {
    "book.rtf": (r"{\rtf1\ansi " + WORDS + "}", "RTF", "pandoc"),
    "page.html": ("\n<!DOCTYPE html>\n<html><body>" + WORDS, "HTML", "pandoc"),
    "page.txt": ("\ufeff<HTML lang=en>" + WORDS, "HTML", "pandoc"),
    "page.xhtml": ('<?xml version="1.0"?>\n<html>' + WORDS, "HTML", "pandoc"),
    "chat.jsonl": ('{"text": "one"}\n{"text": "two"}\n' * 9, "JSON", "jq"),
    "work.ipynb": (json.dumps({"cells": [WORDS], "nbformat": 4}, indent=1), "Jupyter notebook", "nbconvert"),
    "build.log": ("\x1b[31merror\x1b[0m in it\n\x1b[1mbold\x1b[0m\n" * 9, "record of a terminal", "sed"),
}
REFUSED = {
    "paper.pdf": (b"%PDF-1.4\n1 0 obj\nBT (" + WORDS.encode() + b") Tj ET\n", "a PDF", "pdftotext paper.pdf paper.txt"),
    "squeezed.pdf": (b"%PDF-1.7\n" + bytes(range(256)) * 9, "a PDF", "pdftotext"),
    "letter.docx": (archive(word__document_xml=WORDS), "a Word document", "pandoc -t plain --wrap=none -o letter.txt"),
    "novel.epub": (archive(mimetype="application/epub+zip"), "an EPUB book", "pandoc"),
    "it's.odt": (archive(mimetype="application/vnd.oasis.opendocument.text"), "an OpenDocument text", "pandoc"),
}
PLAIN = {
    "code.py": "def f():\n    return {'a': [1]}\n" * 9,
    "list.txt": "{ not json }\n{ nor this }\n" * 9,
    "talk.txt": "[10:31] Bo: hi\n[10:32] Al: hi\n" * 9,
    "about.md": "In HTML one writes <html> at the beginning.\n" * 9,
    "song.txt": "\x1b[31mone red word\x1b[0m\n" + WORDS,
}


@pytest.mark.parametrize("name", MARKUP)
def test_markup_is_named_and_learned_only_where_that_is_asked_for(tmp_path: Path, name: str) -> None:
    content, what, command = MARKUP[name]
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(MarkupError) as caught:
        open_corpus(str(path))
    sentence = str(caught.value)
    assert sentence.startswith(f"{name} is ")
    assert what in sentence
    assert "--as text" in sentence
    assert command in sentence
    assert "\n" not in sentence
    assert "\x1b" not in sentence
    assert open_corpus(str(path), reading=Reading(as_text=True)).read() == content.removeprefix("\ufeff")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32-be"])
def test_markup_is_named_in_whatever_encoding_it_is(tmp_path: Path, encoding: str) -> None:
    for name, (content, what, _) in MARKUP.items():
        (tmp_path / name).write_bytes(content.removeprefix("\ufeff").encode(encoding))
        with pytest.raises(MarkupError, match=what):
            open_corpus(str(tmp_path / name))


@pytest.mark.parametrize("name", REFUSED)
def test_documents_are_refused_with_the_command_that_makes_a_text_of_them(tmp_path: Path, name: str) -> None:
    content, what, command = REFUSED[name]
    path = tmp_path / name
    path.write_bytes(content)
    for reading in (Reading(), Reading(as_text=True)):
        with pytest.raises(UserError) as caught:
            open_corpus(str(path), reading=reading)
        assert what in str(caught.value)
        assert command in str(caught.value)


@pytest.mark.parametrize("name", PLAIN)
def test_plain_text_stays_plain_text(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(PLAIN[name])
    corpus = open_corpus(str(path))
    assert (corpus.read(), corpus.notices) == (PLAIN[name], ())


def test_in_a_folder_they_are_left_out_and_said(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(WORDS)
    for name, (content, _, _) in MARKUP.items():
        (tmp_path / name).write_text(content)
    corpus = open_corpus(str(tmp_path))
    assert corpus.read() == WORDS
    assert any(notice.endswith("HTML, not plain text; left out") for notice in corpus.notices)
    assert open_corpus(str(tmp_path), reading=Reading(as_text=True)).n_files == len(MARKUP) + 1
