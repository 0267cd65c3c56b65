"""One reader for all texts: whatever a file is encoded in, and whichever verb reads it, the figure is the same."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from minigpt_tui.engine.launch import start_training
from minigpt_tui.engine.runs import Run
from minigpt_tui.tui.cli import train

from .command import TEXT, TINY, Outcome, command

SCORED = TEXT[:900]
ENCODED = {
    "crlf": SCORED.replace("\n", "\r\n").encode(),
    "mark": b"\xef\xbb\xbf" + SCORED.encode(),
    "utf-16": SCORED.encode("utf-16"),
    "utf-32": SCORED.encode("utf-32"),
}


def figure(outcome: Outcome) -> tuple[float, int]:
    assert outcome.returncode == 0, outcome.stderr
    plain = json.loads(outcome.stdout)
    return round(plain["loss"], 4), plain["tokens"]


def test_score_and_evaluate_read_a_file_alike(trained: Path) -> None:
    for name, content in ENCODED.items():
        (trained / name).write_bytes(content)
    expected = figure(command(trained, "score", "--text", SCORED, "--json"))
    assert figure(command(trained, "score", "cats", "utf-16", "--json")) == expected
    assert figure(command(trained, "score", "cats", (trained / "crlf").as_uri(), "--json")) == expected
    on = ("evaluate", "cats", "--protocol", "sliding", "--json", "--on")
    assert figure(command(trained, *on, "mark")) == expected
    assert figure(command(trained, *on, "utf-32")) == expected


def test_an_encoding_can_be_named_and_what_was_odd_is_said(trained: Path) -> None:
    (trained / "wide.txt").write_bytes(SCORED.encode("utf-16-le"))
    (trained / "bad.txt").write_bytes(SCORED.encode() + "é€".encode() + b"\xff")
    plain = figure(command(trained, "score", "--text", SCORED, "--json"))
    assert figure(command(trained, "score", "cats", "wide.txt", "--json", "--encoding", "utf-16-le")) == plain
    on = ("evaluate", "cats", "--protocol", "sliding", "--json", "--on", "wide.txt", "--encoding")
    assert figure(command(trained, *on, "utf-16-le")) == plain
    assert "bad.txt is UTF-8 with 1 bad byte, in line 11" in command(trained, "score", "cats", "bad.txt").stderr
    refused = command(trained, "score", "cats", "bad.txt", "--encoding", "klingon")
    assert refused.returncode == 2
    assert "there is no encoding called 'klingon'; some are utf-8" in refused.stderr
    missing = command(trained, "score", "cats", "no.txt")
    assert (missing.returncode, "no.txt cannot be read (No such file" in missing.stderr) == (2, True)


def test_a_prompt_comes_from_an_argument_with_escapes_or_from_a_file_as_it_stands(trained: Path) -> None:
    def prompt(*words: str, stdin: str = "") -> str:
        outcome = command(trained, "generate", "cats", "--max-tokens", "1", "--json", *words, stdin=stdin)
        assert outcome.returncode == 0, outcome.stderr
        return json.loads(outcome.stdout)["prompt"]

    assert prompt("--prompt", r"the\ncat\t\u2028\\n") == "the\ncat\t\u2028\\n"
    (trained / "prompt.txt").write_bytes("the\r\ncat \\n".encode("utf-16"))
    assert prompt("--prompt-file", "prompt.txt") == "the\ncat \\n"
    assert prompt(stdin="the\r\ncat \\n") == "the\ncat \\n"
    assert prompt(stdin="\n") == "\n"


def test_a_stop_string_is_read_with_escapes_and_one_that_cannot_be_written_is_said(trained: Path) -> None:
    words = ("generate", "cats", "--prompt", "the cat", "--temperature", "0", "--json")
    stopped = command(trained, *words, "--stop", r"\n")
    assert "\n" not in json.loads(stopped.stdout)["text"]
    said = command(trained, "generate", "cats", "--prompt", "the", "--stop", r"\u2028", "--max-tokens", "2").stderr
    assert "stop text '\\u2028' never ends a reply: the model has never seen '\\u2028'" in said


def test_train_learns_a_named_encoding_and_trains_it_again(home: Path) -> None:
    (home / "wide.txt").write_bytes(TEXT.encode("utf-16-le"))
    done = command(home, "train", "wide.txt", "--encoding", "utf-16-le", "--steps", "2", "--name", "Война", *TINY)
    assert (done.returncode, done.stdout) == (0, "Война\n"), done.stderr
    assert command(home, "resume", "Война", "--budget", "3 steps").returncode == 0
    assert command(home, "evaluate", "Война").returncode == 0


def test_train_asks_before_it_learns_markup(home: Path) -> None:
    (home / "chat.jsonl").write_text('{"text": "the cat sat on the mat"}\n' * 60)
    refused = command(home, "train", "chat.jsonl", "--steps", "1", *TINY)
    assert refused.returncode == 2
    assert "chat.jsonl is JSON, one value a line, not plain text; --as text learns that as it stands" in refused.stderr
    assert not (home / "runs").exists()
    assert command(home, "train", "chat.jsonl", "--as", "text", "--steps", "1", *TINY).returncode == 0


def test_a_training_that_fails_in_its_setup_leaves_no_run(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "cats.txt").write_text(TEXT)

    def without_its_text(run: Run, **options: Any) -> int:
        (home / "cats.txt").unlink()
        return start_training(run, **options)

    monkeypatch.setattr(train, "start_training", without_its_text)
    failed = command(home, "train", "cats.txt", "--steps", "1", "--name", "gone", *TINY)
    assert failed.returncode == 1
    assert "'gone' failed: " in failed.stderr
    assert "nothing was trained; the folder of 'gone' is in the trash: " in failed.stderr
    assert list((home / "data" / "runs").iterdir()) == []
    assert (next((home / "data" / "trash").iterdir()) / "log.txt").is_file()


def test_another_script_is_learned_only_where_that_is_asked_for(trained: Path) -> None:
    (trained / "mixed.txt").write_bytes((TEXT[:1500] + "Она видит гору и реку. " * 60).encode("cp1251"))
    words = ("train", "mixed.txt", "--from", "cats", "--steps", "1", "--context-length", "16", "--batch-size", "2")
    refused = command(trained, *words)
    assert refused.returncode == 2
    assert "cats has no token for 35% of the characters of mixed.txt, which would be left out" in refused.stderr
    assert "mixed.txt is not UTF-8; read as Windows-1251" in refused.stderr, "or its encoding may be the reason"
    learned = command(trained, *words, "--drop-unknown")
    assert learned.returncode == 0, learned.stderr
    assert "(35.4%) are left out of the text" in learned.stderr


@pytest.mark.skipif(os.name == "nt" or os.uname().sysname == "Darwin", reason="names are Unicode there")
def test_names_and_a_home_that_are_not_utf_8_are_as_good_as_others(home: Path) -> None:
    home, name = home / os.fsdecode(b"h\xe9me \xff"), os.fsdecode(b"caf\xe9 \xff.txt")
    home.mkdir()
    (home / name).write_text(TEXT)
    done = command(home, "train", name, "--steps", "1", *TINY)
    assert (done.returncode, done.stdout) == (0, "caf-01\n"), done.stderr
    assert "caf-01" in command(home, "runs").stdout
    assert json.loads(command(home, "runs", "--json").stdout)[0]["path"] == str(home / "data" / "runs" / "caf-01")
    for words in (
        ("evaluate", "caf-01"),
        ("evaluate", "caf-01", "--on", name),
        ("resume", "caf-01", "--budget", "2 steps"),
        ("score", "caf-01", name),
        ("quotes", "caf-01", name),
        ("quotes", name, name, "--json"),
        ("generate", str(home / "data" / "runs" / "caf-01"), "--prompt", "the", "--max-tokens", "2"),
        ("export", "caf-01", "--to", "huggingface", "--output", os.fsdecode(b"out\xe9")),
        ("generate", os.fsdecode(b"out\xe9"), "--prompt-file", name, "--max-tokens", "2"),
        ("train", name, "--from", os.fsdecode(b"out\xe9"), "--steps", "1", "--context-length", "16"),
    ):
        outcome = command(home, *words)
        assert outcome.returncode == 0, (words, outcome.stderr)
