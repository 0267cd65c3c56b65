"""The verb quotes: what of a text stands word for word in what a run has learned from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from minigpt_tui.data.corpus import open_corpus
from minigpt_tui.engine.runs import CorpusRecord, RunManifest, create_run
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.recipe import TrainingConfig
from minigpt_tui.tui.cli.exit_codes import DONE, USAGE

from .command import command

LINES = "It was a bright cold day in April,\nand the clocks were striking thirteen.\n"


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two books, and the run `april`, which has learned from the first line of the one."""
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path))
    (tmp_path / "april.txt").write_text(LINES)
    (tmp_path / "books").mkdir()
    (tmp_path / "books" / "cats.txt").write_text("the cat sat on the mat\n")
    corpus = open_corpus(str(tmp_path / "april.txt"))
    validation = 1 - LINES.index("\n") / len(LINES)
    record = CorpusRecord(
        "april", corpus.spec, corpus.fingerprint, corpus.n_bytes, corpus.n_characters, validation, reading_rules=3
    )
    config = ModelConfig(vocab_size=256, context_length=16, n_layer=1, n_head=2, d_model=32)
    create_run(RunManifest("april", 0.0, "tiny", record, "byte", config, TrainingConfig()))
    return tmp_path


def test_the_longest_quote_of_a_run_its_place_and_the_shares(shelf: Path) -> None:
    result = command(shelf, "quotes", "april", "--text", "On a bright cold day the clocks were striking")
    assert (result.returncode, result.stderr) == (DONE, "")
    assert result.stdout.splitlines() == [
        "longest quote 19 characters, from april.txt, line 1, column 7:",
        " a bright cold day ",
        "42.2% of the text stands in passages of 10 characters or more, 0.0% in those of 20, 0.0% in those of 50",
    ]
    newest = command(shelf, "quotes", stdin="On a bright cold day the clocks were striking")
    assert newest.stdout == result.stdout


def test_a_corpus_a_file_and_json(shelf: Path) -> None:
    (shelf / "reply.txt").write_text("“a cat sat on the mat”")
    result = command(shelf, "quotes", "books", "reply.txt", "--json")
    assert (result.returncode, result.stderr) == (DONE, "")
    found = json.loads(result.stdout)
    assert found == {
        "text": "“a cat sat on the mat”",
        "longest": {
            "text": " cat sat on the mat", "characters": 19, "start": 2, "end": 21, "file": "cats.txt", "line": 1,
            "column": 4, "offset": 3, "before": "the", "after": "\n",
        },
        "share10": 19 / 22, "share20": 0, "share50": 0,
    }  # fmt: skip
    assert json.loads(command(shelf, "quotes", "books", "-", "--json", stdin="“a cat sat on the mat”").stdout) == found
    nothing = command(shelf, "quotes", "books", "--text", "XYZ", "--json")
    assert json.loads(nothing.stdout)["longest"] is None
    assert command(shelf, "quotes", "books", "--text", "XYZ").stdout.startswith("nothing is quoted\n")


def test_what_cannot_be_asked_for_is_said_in_a_sentence(shelf: Path) -> None:
    (shelf / "april.txt").write_text(LINES.upper())
    (shelf / "empty").mkdir()
    for words, sentence in (
        (("nobody", "--text", "x"), "there is no run called 'nobody'"),
        (("april", "--text", "x"), "has changed since the run was made"),
        (("empty", "--text", "x"), "has no text"),
        (("books", "gone.txt"), "gone.txt cannot be read"),
    ):
        result = command(shelf, "quotes", *words)
        assert (result.returncode, result.stdout) == (USAGE, ""), result.stderr
        assert sentence in result.stderr
        assert len(result.stderr.splitlines()) == 1
    assert not (shelf / "cache" / "quotes").exists()


def test_a_cache_that_cannot_be_written_is_said(shelf: Path) -> None:
    (shelf / "cache").write_text("a file in its place")
    result = command(shelf, "quotes", "books", "--text", "the cat")
    assert (result.returncode, result.stdout) == (USAGE, "")
    assert "cache" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_hostile_name_of_a_file_stays_in_its_line(shelf: Path) -> None:
    (shelf / "books" / "cats.txt").rename(shelf / "books" / "c\x1b[2J\na.txt")
    result = command(shelf, "quotes", "books", "--text", "the cat sat")
    assert result.returncode == DONE, result.stderr
    assert "\x1b" not in result.stdout
    assert len(result.stdout.splitlines()) == 3
