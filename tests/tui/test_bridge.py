"""The bridge without a terminal: what it posts as a run's file grows, and as the generate process speaks."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from minigpt_tui.engine.events import COMMANDS, Acknowledged, Note, StateChanged
from minigpt_tui.engine.locks import acquire
from minigpt_tui.engine.requests import Failed, Load
from minigpt_tui.engine.runs import Run, RunError, list_runs, run_to_open
from minigpt_tui.models.config import ConfigError
from minigpt_tui.models.presets import preset
from minigpt_tui.tui.bridge import Bridge
from minigpt_tui.tui.messages import ModelFailed, ModelLoading, ModelReady, Notice, RunAttached, RunStateChanged
from textual.message import Message

from .runs_on_disk import append, evaluation, make_run, progress, save_checkpoint, saved, set_status
from .scripted_engine import ScriptedEngine

Posted = TypeVar("Posted", bound=Message)


class Heard(list[Message]):
    """What the bridge posted."""

    def of(self, kind: type[Posted]) -> list[Posted]:
        return [message for message in self if isinstance(message, kind)]


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def bridge(engine: type[ScriptedEngine], heard: Heard) -> Bridge:
    return Bridge(heard.append)


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def poll_often(bridge: Bridge) -> None:
    """As many polls as it takes to look at the lock as well."""
    for _ in range(8):
        bridge.poll()


# --- following a run ------------------------------------------------------------------------------


def test_attaching_reads_everything_and_announces_nothing_old(bridge: Bridge, heard: Heard):
    run = make_run("a-01", "running", steps=200, checkpoint=False)
    append(run, Note(200, "an old remark", "warning"))
    with acquire(run.lock_path) or pytest.fail("locked"):
        bridge.attach(run)
    assert bridge.training.step == 200
    assert bridge.state == "running"
    assert bridge.is_training
    assert bridge.model.parameters is not None
    assert [type(message) for message in heard] == [RunAttached]


def test_what_is_appended_is_folded_in_and_announced(bridge: Bridge, heard: Heard):
    run = make_run("a-01", "running", steps=100, checkpoint=False)
    with acquire(run.lock_path) or pytest.fail("locked"):
        bridge.attach(run)
        heard.clear()
        append(run, progress(110), evaluation(110, 1.9), Note(110, "the rate was halved", "warning"))
        assert [bridge.poll(), bridge.poll()] == [True, False]
    assert (bridge.training.step, bridge.training.validation_loss) == (110, 1.9)
    assert [(note.sentence, note.lasting) for note in heard.of(Notice)] == [("the rate was halved", True)]


def test_a_foreign_line_is_skipped_with_one_warning_for_all_of_them(bridge: Bridge, heard: Heard):
    run = make_run("a-01", "running", steps=100, checkpoint=False)
    with run.metrics_path.open("a") as file:
        file.write('{"event":"of the future"}\nnot json\n{"event":"step"}\n')
    append(run, progress(110))
    bridge.attach(run)
    assert bridge.training.step == 110
    assert [notice.severity for notice in heard.of(Notice)] == ["warning"]


def test_states_are_announced_once_each(bridge: Bridge, heard: Heard):
    run = make_run("a-01", "running", steps=100, checkpoint=False)
    with acquire(run.lock_path) or pytest.fail("locked"):
        bridge.attach(run)
        append(run, StateChanged("paused", 100, 0.0), StateChanged("running", 100, 0.0))
        poll_often(bridge)
        append(run, StateChanged("finished", 400, 0.0))
        set_status(run, "finished", 400)
        poll_often(bridge)
    poll_often(bridge)
    changes = [(change.before, change.state) for change in heard.of(RunStateChanged)]
    assert changes == [("running", "paused"), ("paused", "running"), ("running", "finished")]


def test_a_lock_that_becomes_free_is_a_crash(bridge: Bridge, heard: Heard):
    run = make_run("a-01", "running", steps=100, checkpoint=False)
    lock = acquire(run.lock_path)
    assert lock
    bridge.attach(run)
    poll_often(bridge)
    assert not heard.of(RunStateChanged)
    lock.close()
    poll_often(bridge)
    assert [change.state for change in heard.of(RunStateChanged)] == ["crashed"]
    assert bridge.training.reason


def test_a_very_long_file_is_read_in_pieces_and_is_no_news(engine: type[ScriptedEngine], heard: Heard):
    bridge = Bridge(heard.append, attach_seconds=0)
    run = make_run("a-01", "finished", steps=10, checkpoint=False)
    append(run, *(progress(step) for step in range(20, 20_000, 10)), Note(1, "old", "warning"))
    bridge.attach(run)
    assert bridge.training.step < 19_990
    for _ in range(40):
        bridge.poll()
    assert bridge.training.step == 19_990
    assert not heard.of(Notice)


def test_of_a_file_with_very_many_steps_some_are_looked_at_and_all_else_is(engine: type[ScriptedEngine], heard: Heard):
    bridge = Bridge(heard.append, attach_seconds=60)
    run = make_run("a-01", "finished", steps=10, checkpoint=False)
    append(run, *(progress(step) for step in range(20, 500_000, 10)), evaluation(500_000, 1.2))
    append(run, replace(progress(500_010), loss=math.nan), *(progress(step) for step in range(500_020, 700_000, 10)))
    assert run.metrics_path.stat().st_size > 2 * 2**22
    bridge.attach(run)
    assert bridge.training.step == 699_990
    assert bridge.training.train.not_finite == 1
    assert bridge.training.best_step == 500_000
    assert bridge.readings is not None
    assert sum(stretch.count for stretch in bridge.readings.stretches) < 40_000
    append(run, *(progress(step) for step in range(700_000, 700_200, 10)))
    before = bridge.training.train.version
    poll_often(bridge)
    assert bridge.training.train.version == before + 20, "what comes while it is watched is looked at line by line"


def test_commands_are_lines_in_the_run_folder(bridge: Bridge):
    run = make_run("a-01", "running", checkpoint=False)
    with acquire(run.lock_path) or pytest.fail("locked"):
        bridge.attach(run)
        bridge.send_command("pause")
        bridge.send_command("stop")
    lines = run.commands_path.read_text().splitlines()
    assert [COMMANDS.decode(line).name for line in lines] == ["pause", "stop"]


def test_a_checkpoint_is_worth_a_word_when_it_was_asked_for(bridge: Bridge, heard: Heard):
    run = make_run("a-01", "running", steps=100, checkpoint=False)
    with acquire(run.lock_path) or pytest.fail("locked"):
        bridge.attach(run)
        append(run, saved(110))
        bridge.poll()
        assert not heard.of(Notice)
        bridge.send_command("save")
        append(run, saved(120), Acknowledged(120, "", "save", "saved at step 120", True, 1.0), saved(130))
        append(run, Acknowledged(130, "", "", "a command was not understood", False, 1.0))
        append(run, Acknowledged(130, "", "pause", "the training is paused", True, 1.0))  # the state says that
        bridge.poll()
    assert [(notice.sentence, notice.severity) for notice in heard.of(Notice)] == [
        ("saved at step 120", "information"), ("a command was not understood", "warning"),
    ]  # fmt: skip


def test_commands_that_nobody_would_read_are_refused(bridge: Bridge):
    with pytest.raises(RunError, match="no run on screen"):
        bridge.send_command("pause")
    run = make_run("a-01", "finished")
    with pytest.raises(RunError, match="'a-01' is not training: it is finished"):
        bridge.send_command("pause", run)
    assert not run.commands_path.exists()


def test_the_run_to_open_is_the_newest_that_trains_else_the_newest_with_a_model(home: Path):
    assert run_to_open() is None
    make_run("a-01", "failed", checkpoint=False)
    assert run_to_open() is None
    old, _ = make_run("a-02"), make_run("a-03", "failed", checkpoint=False)
    assert run_to_open() == old
    alive = make_run("a-04", "running", checkpoint=False)
    make_run("a-05")
    with acquire(alive.lock_path) or pytest.fail("locked"):
        assert run_to_open() == alive


async def test_training_makes_a_run_shows_it_and_starts_it(bridge: Bridge, heard: Heard, home: Path, monkeypatch):
    started: list[tuple[Run, dict]] = []
    monkeypatch.setattr(
        "minigpt_tui.engine.launch.start_training", lambda run, **options: started.append((run, options))
    )
    text = home.parent / "text.txt"
    text.write_text("all work and no play\n" * 200)
    run = await bridge.train(str(text), preset("quick"))
    assert run.manifest().corpus.spec == str(text)
    assert started == [(run, {"leave_core": True, "ready": None})]
    assert (bridge.run, bridge.state) == (run, "starting")
    assert len(heard.of(RunAttached)) == 1


# --- the model ------------------------------------------------------------------------------------


async def test_the_first_checkpoint_is_loaded_and_later_ones_are_left_to_the_process(
    bridge: Bridge, heard: Heard, engine
):
    run = make_run("a-01", "running", steps=100, checkpoint=False)
    await bridge.generator.start()
    with acquire(run.lock_path) or pytest.fail("locked"):
        bridge.attach(run)
        assert not heard.of(ModelLoading)
        save_checkpoint(run)
        append(run, saved(100))
        bridge.poll()
        append(run, saved(110))
        bridge.poll()
        await settled()
    loads = [request for request in engine.processes[0].requests if isinstance(request, Load)]
    assert [(load.path, load.follow) for load in loads] == [(str(run.path), True)]
    assert [ready.first for ready in heard.of(ModelReady)] == [True]
    assert (bridge.model.step, bridge.model.memory) == (200, 250_000_000)


async def test_a_model_asked_for_before_the_process_is_there_is_loaded_by_it(bridge: Bridge, heard: Heard, engine):
    bridge.attach(make_run("a-01"))
    assert not bridge.generator.ready
    await bridge.generator.start()
    await settled()
    assert bridge.generator.ready


async def test_a_model_that_cannot_be_loaded_is_tried_again_at_the_next_checkpoint(
    bridge: Bridge, heard: Heard, engine
):
    run = make_run("a-01", "running", steps=100, checkpoint=True)
    await bridge.generator.start()
    with acquire(run.lock_path) or pytest.fail("locked"):
        bridge.attach(run)
        process = engine.processes[0]
        load = process.requests[0]
        process.say(Failed(load.id, "checkpoint", "cut in half"))
        assert [failure.sentence for failure in heard.of(ModelFailed)] == ["cut in half"]
        append(run, saved(110))
        bridge.poll()
    assert [type(request) for request in process.requests] == [Load, Load]


# --- a device that is not there -------------------------------------------------------------------


async def test_a_device_that_is_not_there_leaves_no_run(bridge: Bridge, heard: Heard):
    with pytest.raises(ConfigError, match="the device 'cuda:9' is not available; choose auto or one of"):
        await bridge.train("tales:1MB", preset("quick").overridden(device="cuda:9"))
    assert list_runs() == []
    assert bridge.run is None
    assert not heard
