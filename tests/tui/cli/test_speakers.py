"""Who speaks in a text, and a word with them, on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .command import TINY, command

PLAY = "".join(
    f"{name}: {text}\n"
    for name, text in (("BO", "it rains."), ("KIM", "it does."), ("BO", "see you."), ("BO", "yes."), ("KIM", "no."))
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a play and a run that knows it by heart, the first six words of it at least."""
    home = tmp_path_factory.mktemp("speakers")
    (home / "play.txt").write_text(PLAY * 80)
    words = ("train", "play.txt", "--steps", "150", "--name", "play", "--seed", "1", *TINY, "--learning-rate", "0.01")
    trained = command(home, *words)
    assert trained.returncode == 0, trained.stderr
    return home


def test_the_speakers_of_a_run_and_of_a_file_the_most_frequent_first(home: Path) -> None:
    for text in ((), ("play",), ("play.txt",)):
        shown = command(home, "speakers", *text)
        assert (shown.returncode, shown.stderr) == (0, "")
        assert [line.split() for line in shown.stdout.splitlines() if "O" in line or "M" in line] == [
            ["BO", "240"], ["KIM", "160"]
        ]  # fmt: skip
    found = json.loads(command(home, "speakers", "play", "--json").stdout)
    assert found["speakers"] == [{"name": "BO", "count": 240}, {"name": "KIM", "count": 160}]
    assert (found["form"]["after"], found["form"]["end"]) == (": ", "line")


def test_where_nobody_speaks_nothing_is_printed(home: Path) -> None:
    (home / "novel.txt").write_text("It was late. He said: come in. The rain fell on the plain.\n\n" * 60)
    nobody = command(home, "speakers", "novel.txt")
    assert (nobody.returncode, nobody.stdout) == (0, "")
    assert "nobody speaks in this text" in nobody.stderr
    assert json.loads(command(home, "speakers", "novel.txt", "--json").stdout) == {"speakers": [], "form": None}
    assert command(home, "speakers", "gone.txt").returncode == 2


def test_one_says_the_prompt_and_the_other_answers_with_one_speech(home: Path) -> None:
    words = ("generate", "play", "--prompt", "it rains.", "--temperature", "0", "--max-tokens", "200")
    answered = json.loads(command(home, *words, "--you", "bo", "--answer", "KIM", "--json").stdout)
    assert answered["prompt"] == "BO: it rains.\nKIM:"
    assert answered["reason"] == "stop"
    assert answered["text"].startswith(" it")
    assert not {"\n", ":"} & set(answered["text"])
    assert command(home, *words, "--answer", "kim").stdout == answered["text"].lstrip() + "\n"
    echoed = command(home, *words, "--you", "BO", "--echo").stdout
    assert echoed == f"BO: it rains.\nKIM:{answered['text']}\n"
    begun = json.loads(command(home, *words[:2], "--prompt", "", "--answer", "bo", "--json").stdout)
    assert begun["prompt"] == "BO:"
    several = command(home, *words, "--answer", "kim", "--samples", "2").stdout.splitlines()
    assert several[1::2] == [answered["text"].lstrip()] * 2


def test_what_cannot_be_said_so_is_refused_or_said(home: Path) -> None:
    words = ("generate", "play", "--prompt", "it rains.", "--max-tokens", "3")
    unknown = command(home, *words, "--answer", "ZOE")
    assert unknown.returncode == 0
    assert "nobody called ZOE speaks in the text, so the model has not learned how; it has BO, KIM" in unknown.stderr
    for wrong, says in (
        (("--answer", "x" * 61), "a speaker's name has 1 to 60 characters; the text has BO, KIM"),
        (("--answer", " "), "a speaker's name has 1 to 60 characters"),
        (("--you", "BO", "--chat"), "--you and --answer speak as the text does, --chat as the chat template"),
    ):
        refused = command(home, *words, *wrong)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert says in refused.stderr
