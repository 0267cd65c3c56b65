"""Commands to a run: each is answered, whoever sent it, and what is changed survives."""

from __future__ import annotations

import subprocess
import sys

import pytest
from minigpt_tui.data.storage.errors import UserError
from minigpt_tui.engine import commands
from minigpt_tui.engine.commands import Answers, changed, new_command, prompted
from minigpt_tui.engine.events import (
    COMMANDS,
    Acknowledged,
    CheckpointSaved,
    Command,
    Evaluation,
    Sample,
    Settings,
    StateChanged,
    Step,
)
from minigpt_tui.engine.runs import Run
from minigpt_tui.engine.training.loop.event_log import EventLog
from minigpt_tui.models.recipe import Budget

from .test_trainer import build, kinds

SENDER = """
import sys
from pathlib import Path
from minigpt_tui.engine.events import Command
from minigpt_tui.engine.runs import Run
run = Run(Path(sys.argv[1]))
for number in range(200):
    run.send(Command("sample_prompts", id=f"{sys.argv[2]}-{number}", texts=("x" * (number * 7),)))
"""


@pytest.fixture
def train(make_run, text, monkeypatch):
    """Trains a run here, resumed where it has a checkpoint; `acts` are done once their step is reported."""

    def train(run: Run, acts: dict[int, list[Command | str]], *, resume: bool = False) -> None:
        if resume:
            run.commands_path.unlink()  # a process passes over what was asked of an earlier one
        it, _, _ = build(run, text, resume=resume, report_interval=0.0)
        emit, left = EventLog.emit, dict(acts)

        def watched(self: EventLog, event: object) -> None:
            emit(self, event)  # type: ignore[arg-type]
            if isinstance(event, Step):
                for command in left.pop(event.step, []):
                    send_line(run, command)

        monkeypatch.setattr(EventLog, "emit", watched)
        it.train()
        monkeypatch.setattr(EventLog, "emit", emit)

    return train


def send_line(run: Run, command: Command | str) -> None:
    if isinstance(command, Command):
        run.send(command)
        return
    with run.commands_path.open("a") as file:
        file.write(command + "\n")


def answers(events) -> list[Acknowledged]:
    return kinds(events, Acknowledged)


def test_each_line_is_answered_also_what_is_no_command(make_run, train, events_of):
    run = make_run()
    lines: list[Command | str] = [
        new_command("save"), '{"kind":"command","name":"dance","id":"tango"}', "no json", "[1]", '{"id":' + "[" * 9999,
        new_command("resume"), new_command("evaluation_interval", value=0.5), new_command("evaluate"),
    ]  # fmt: skip
    train(run, {5: lines})
    found = answers(events_of(run))
    assert [answer.id for answer in found] == [
        line.id if isinstance(line, Command) else "tango" * ("tango" in line) for line in lines
    ]
    assert [answer.accepted for answer in found] == [True, False, False, False, False, False, False, True]
    assert {answer.step for answer in found} == {5}
    assert "not understood" in found[1].text
    assert "not paused" in found[5].text
    assert "whole number" in found[6].text


def test_several_processes_give_commands_at_once_and_none_is_lost(make_run):
    run = make_run()
    with run.commands_path.open("a") as file:
        file.write('{"kind":"comma')  # of a sender that was killed
    senders = [
        subprocess.Popen([sys.executable, "-c", SENDER, str(run.path), name], cwd=run.path) for name in ("a", "b", "c")
    ]
    assert [sender.wait(60) for sender in senders] == [0, 0, 0]
    torn, *lines = run.commands_path.read_text().splitlines()
    assert torn == '{"kind":"comma'
    found = [COMMANDS.decode(line).id for line in lines if line]
    assert sorted(found) == sorted(f"{name}-{number}" for name in "abc" for number in range(200))


def test_commands_during_a_pause_are_carried_out(make_run, train, events_of):
    run = make_run()
    orders = [new_command("pause"), new_command("sample"), changed("learning_rate_scale", "0.25"),
              new_command("evaluate"), new_command("save"), new_command("resume")]  # fmt: skip
    train(run, {5: [new_command("pause")], 7: orders[1:]} | {5: orders})
    events = events_of(run)
    paused = [getattr(event, "state", "") for event in events].index("paused")
    going_on = next(i for i, event in enumerate(events) if getattr(event, "name", "") == "resume")
    during = [type(event) for event in events[paused:going_on]]
    assert during.count(Sample) == 1
    assert during.count(Evaluation) == 1
    assert Step not in during
    assert all(answer.accepted for answer in answers(events)[:6])


def test_a_stop_without_saving_leaves_the_disk_as_it_was(make_run, train, events_of):
    run = make_run(checkpoint_interval=10, evaluation_interval=1000)
    train(run, {15: [new_command("stop_now")]})
    events = events_of(run)
    assert [event.step for event in kinds(events, CheckpointSaved)] == [10]
    (answer,) = answers(events)
    assert (answer.name, answer.accepted, answer.step) == ("stop_now", True, 15)
    end = kinds(events, StateChanged)[-1]
    assert (end.state, end.reason) == ("stopped", "no checkpoint was asked for; the checkpoint of step 10 is kept")
    train(run, {}, resume=True)
    assert kinds(events_of(run), Step)[-1].step == 30


def test_a_stop_without_saving_that_is_taken_back_ends_nothing(make_run, train, events_of):
    run = make_run()
    train(run, {15: [new_command("stop_now"), new_command("resume")]})
    assert [event.state for event in kinds(events_of(run), StateChanged)] == ["running", "running", "finished"]
    other = make_run("other")
    train(other, {15: [new_command("stop_now"), new_command("resume"), new_command("stop")]})
    assert kinds(events_of(other), StateChanged)[-1].state == "stopped"
    assert kinds(events_of(other), CheckpointSaved)[-1].step == 15


def test_what_was_changed_survives_a_resume(make_run, train, events_of):
    run = make_run(checkpoint_interval=1000, evaluation_interval=1000)
    orders = [changed("learning_rate_scale", "2"), changed("learning_rate_scale", "0.5"), changed("budget", "40 steps"),
              changed("evaluation_interval", "4"), prompted(["def ", "class "])]  # fmt: skip
    train(run, {5: orders, 20: [new_command("stop_now")]})
    assert [event.step for event in kinds(events_of(run), CheckpointSaved) if event.kind == "last"] == [5]
    seen = len(events_of(run))
    train(run, {}, resume=True)
    after = events_of(run)[seen:]
    assert kinds(after, Settings)[0] == Settings(5, 0.5, "40 steps", 4, ("def ", "class "))
    assert [event.step for event in kinds(after, Evaluation)] == list(range(8, 41, 4))
    assert {event.prompt for event in kinds(after, Sample)} == {"def ", "class "}
    status = run.status()
    assert status is not None
    assert (status.learning_rate_scale, status.budget, status.evaluation_interval, status.sample_prompts) == (
        0.5, "40 steps", 4, ("def ", "class "),
    )  # fmt: skip


def test_an_evaluation_that_was_asked_for_uses_up_no_patience(make_run, train, events_of):
    run = make_run(patience=2, evaluation_interval=1000, learning_rate=1e-9, average=0.0)
    train(run, {5: [new_command("evaluate")] * 4})
    assert len(kinds(events_of(run), Evaluation)) == 5
    assert kinds(events_of(run), StateChanged)[-1].reason == ""


def test_the_learner_does_the_same_whatever_is_asked_that_changes_nothing(make_run, train):
    weights = []
    asked = ("pause", "evaluate", "sample", "save", "resume")
    for name, acts in (("alone", {}), ("asked", {7: [new_command(word) for word in asked]})):  # type: ignore[arg-type]
        run = make_run(name, budget=Budget(20))
        train(run, acts)
        checkpoint = run.checkpoint("last")
        assert checkpoint is not None
        weights.append((checkpoint / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]


def test_answers_are_those_to_ones_own_commands(make_run, train):
    run = make_run()
    run.metrics_path.write_text('{"event":"acknow')  # of a process that was killed
    one, other = new_command("save"), new_command("sample")
    mine, others = Answers(run, [one]), Answers(run, [other])
    assert mine.lost == ""
    train(run, {5: [one, other]})
    assert [answer.id for answer in mine.read()] == [one.id]
    assert [answer.id for answer in others.read()] == [other.id]
    assert mine.read() == []
    assert mine.lost == ""
    late = Answers(run, [new_command("save")])
    assert late.read() == []
    assert "did not answer" in late.lost


@pytest.mark.parametrize(
    ("name", "typed", "problem"),
    [
        ("learning_rate_scale", "0", "above 0 and at most 1,000"),
        ("learning_rate_scale", "fast", "'fast' is not a number"),
        ("learning_rate_scale", "nan", "is not a number"),
        ("learning_rate_scale", "1e9", "at most 1,000"),
        ("evaluation_interval", "-1", "a whole number up to"),
        ("evaluation_interval", "2.5", "a whole number up to"),
        ("evaluation_interval", "inf", "a whole number up to"),
        ("budget", "a while", "is not understood"),
        ("budget", "0", "not possible"),
        ("sample_prompts", "x" * 10_001, "too long"),
    ],
)
def test_what_a_setting_cannot_be_is_said_with_its_range(name, typed, problem):
    with pytest.raises(UserError, match=problem):
        changed(name, typed)


def test_there_are_one_to_sixteen_prompts():
    for prompts in ([], ["x"] * 17):
        with pytest.raises(UserError, match="give 1 to 16"):
            prompted(prompts)


def test_a_command_to_a_run_that_does_not_train_is_refused(make_run):
    run = make_run()
    with pytest.raises(UserError, match="not training"):
        commands.send(run, new_command("pause"))
    assert not run.commands_path.exists()
