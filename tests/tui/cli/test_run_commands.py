"""Orders from the command line to a run that trains, each with its answer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from minigpt_tui.engine.commands import Answers, new_command
from minigpt_tui.engine.events import TRAINING_EVENTS, Acknowledged
from minigpt_tui.engine.runs import Run

from .command import TINY, Outcome, command


@pytest.fixture
def training(home: Path) -> Run:
    """A run that trains until it is stopped."""
    started = command(home, "train", "cats.txt", "--steps", "1000000", "--name", "long", "--detach", *TINY)
    assert started.returncode == 0, started.stderr
    return Run(home / "data" / "runs" / "long")


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "MINIGPT_HOME": str(home)}


def runs(home: Path, *words: str) -> Outcome:
    return command(home, "runs", *words)


def test_a_run_is_steered_from_the_command_line(home: Path, training: Run) -> None:
    assert "the training is paused; saved at step" in runs(home, "pause", "long").stdout
    assert training.state() == "paused"
    again = runs(home, "pause", "long")
    assert (again.returncode, again.stdout) == (2, "")
    assert "is paused already" in again.stderr
    changed = runs(home, "set", "long", "--learning-rate-scale", "0.5", "--budget", "3 hours", "--prompt", "the ",
                   "--prompt", r"a\nb", "--evaluation-interval", "50", "--json")  # fmt: skip
    assert changed.returncode == 0, changed.stderr
    answers = json.loads(changed.stdout)
    assert [(answer["run"], answer["name"], answer["accepted"]) for answer in answers] == [
        ("long", "learning_rate_scale", True), ("long", "budget", True), ("long", "evaluation_interval", True),
        ("long", "sample_prompts", True),
    ]  # fmt: skip
    assert "validation loss is" in runs(home, "evaluate", "long").stdout
    assert runs(home, "sample", "long").returncode == 0
    assert runs(home, "save", "long").stdout.startswith("'long', step ")
    assert runs(home, "resume", "long").returncode == 0
    status = training.status()
    assert status is not None
    assert (status.learning_rate_scale, status.budget, status.sample_prompts) == (0.5, "180 minutes", ("the ", "a\nb"))

    spent = runs(home, "set", "long", "--budget", "1 step", "--json")
    assert spent.returncode == 2
    assert json.loads(spent.stdout)[0]["accepted"] is False
    assert "spent already" in spent.stderr
    for option, value in (("--learning-rate-scale", "-1"), ("--evaluation-interval", "x"), ("--budget", "soon")):
        before = training.commands_path.read_bytes()
        wrong = runs(home, "set", "long", option, value)
        assert (wrong.returncode, wrong.stdout, len(wrong.stderr.splitlines())) == (2, "", 1)
        assert training.commands_path.read_bytes() == before
    assert "nothing to change" in runs(home, "set", "long").stderr

    assert command(home, "stop", "long", "--now").returncode == 0
    assert training.state() == "stopped"
    ended = runs(home, "save", "long")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "is not training: it is stopped" in ended.stderr


def test_an_app_and_commands_give_orders_at_once_and_each_has_its_answer(home: Path, training: Run) -> None:
    words = [sys.executable, "-m", "minigpt_tui.tui.cli.main", "runs", "sample", "long", "--json"]
    others = [
        subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=home, env=environment(home)) for _ in range(2)
    ]
    mine = [new_command("sample") for _ in range(20)]
    answers = Answers(training, mine)
    for order in mine:
        training.send(order)
    found: list[Acknowledged] = []
    while answers.waited_for and not answers.lost:
        found += answers.read()
        time.sleep(0.02)
    assert sorted(answer.id for answer in found) == sorted(order.id for order in mine)
    theirs = [json.loads(other.communicate(timeout=120)[0]) for other in others]
    assert [len(answer) for answer in theirs] == [1, 1]
    assert command(home, "stop", "long").returncode == 0
    events = map(TRAINING_EVENTS.decode, training.metrics_path.read_bytes().splitlines())
    all_answers = [event.id for event in events if isinstance(event, Acknowledged)]
    assert len(all_answers) == len(set(all_answers)) == 23


def test_a_run_that_dies_before_it_answers_is_told(home: Path, training: Run) -> None:
    while (status := training.status()) is None or status.state != "running":
        time.sleep(0.02)
    runs(home, "pause", "long")
    words = [sys.executable, "-m", "minigpt_tui.tui.cli.main", "runs", "resume", "long"]
    os.kill(status.pid, signal.SIGSTOP)  # it does not read its commands any more
    asked = training.commands_path.stat().st_size
    waiting = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, cwd=home, env=environment(home))
    while training.commands_path.stat().st_size == asked:
        time.sleep(0.02)
    os.kill(status.pid, signal.SIGKILL)
    _, errors = waiting.communicate(timeout=60)
    assert waiting.returncode == 1
    assert "'long' did not answer: its process has ended, and it is crashed" in errors
