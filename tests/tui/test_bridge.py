"""The bridge without a terminal: what it posts as a run's file grows, and as the generate process speaks."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from minigpt_tui.engine.events import COMMANDS, Note, StateChanged
from minigpt_tui.engine.locks import acquire
from minigpt_tui.engine.requests import Failed, Load, SamplingSettings, Tokens
from minigpt_tui.engine.runs import Run, RunError
from minigpt_tui.models.presets import preset
from minigpt_tui.tui.bridge import Bridge, run_to_open
from minigpt_tui.tui.messages import (
    ModelFailed,
    ModelLoading,
    ModelReady,
    Notice,
    ReplyEnded,
    ReplyFailed,
    ReplyText,
    RunAttached,
    TrainingChanged,
    TrainingNote,
    TrainingState,
)
from textual.message import Message

from .runs_on_disk import append, evaluation, make_run, progress, save_checkpoint, saved, set_status
from .scripted_engine import ScriptedEngine


class Heard(list[Message]):
    """What the bridge posted."""

    def of(self, kind: type[Message]) -> list[Message]:
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
    assert bridge.trains
    assert bridge.model.parameters is not None
    assert [type(message) for message in heard] == [RunAttached, TrainingChanged]


def test_what_is_appended_is_folded_in_and_announced(bridge: Bridge, heard: Heard):
    run = make_run("a-01", "running", steps=100, checkpoint=False)
    with acquire(run.lock_path) or pytest.fail("locked"):
        bridge.attach(run)
        heard.clear()
        append(run, progress(110), evaluation(110, 1.9), Note(110, "the rate was halved", "warning"))
        bridge.poll()
        bridge.poll()
    assert (bridge.training.step, bridge.training.validation_loss) == (110, 1.9)
    assert len(heard.of(TrainingChanged)) == 1
    assert [note.event.text for note in heard.of(TrainingNote)] == ["the rate was halved"]  # type: ignore[attr-defined]


def test_a_foreign_line_is_skipped_with_one_warning_for_all_of_them(bridge: Bridge, heard: Heard):
    run = make_run("a-01", "running", steps=100, checkpoint=False)
    with run.metrics_path.open("a") as file:
        file.write('{"event":"of the future"}\nnot json\n{"event":"step"}\n')
    append(run, progress(110))
    bridge.attach(run)
    assert bridge.training.step == 110
    assert [notice.severity for notice in heard.of(Notice)] == ["warning"]  # type: ignore[attr-defined]


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
    changes = [(change.before, change.state) for change in heard.of(TrainingState)]  # type: ignore[attr-defined]
    assert changes == [("running", "paused"), ("paused", "running"), ("running", "finished")]


def test_a_lock_that_becomes_free_is_a_crash(bridge: Bridge, heard: Heard):
    run = make_run("a-01", "running", steps=100, checkpoint=False)
    lock = acquire(run.lock_path)
    assert lock
    bridge.attach(run)
    poll_often(bridge)
    assert not heard.of(TrainingState)
    lock.close()
    poll_often(bridge)
    assert [change.state for change in heard.of(TrainingState)] == ["crashed"]  # type: ignore[attr-defined]
    assert bridge.training.reason


def test_a_very_long_file_is_read_in_pieces_and_is_no_news(bridge: Bridge, heard: Heard, monkeypatch):
    monkeypatch.setattr("minigpt_tui.tui.bridge._AT_ONCE", 0)
    run = make_run("a-01", "finished", steps=10, checkpoint=False)
    append(run, *(progress(step) for step in range(20, 20_000, 10)), Note(1, "old", "warning"))
    bridge.attach(run)
    assert bridge.training.step < 19_990
    for _ in range(40):
        bridge.poll()
    assert bridge.training.step == 19_990
    assert not heard.of(TrainingNote)


def test_orders_are_lines_in_the_run_folder(bridge: Bridge):
    run = make_run("a-01", "running", checkpoint=False)
    with acquire(run.lock_path) or pytest.fail("locked"):
        bridge.attach(run)
        bridge.order("pause")
        bridge.order("stop")
    lines = run.commands_path.read_text().splitlines()
    assert [COMMANDS.decode(line).name for line in lines] == ["pause", "stop"]


def test_orders_that_nobody_would_read_are_refused(bridge: Bridge):
    with pytest.raises(RunError, match="no run on screen"):
        bridge.order("pause")
    run = make_run("a-01", "finished")
    with pytest.raises(RunError, match="'a-01' is not training: it is finished"):
        bridge.order("pause", run)
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
    monkeypatch.setattr("minigpt_tui.tui.bridge.start_training", lambda run, **options: started.append((run, options)))
    text = home.parent / "text.txt"
    text.write_text("all work and no play\n" * 200)
    run = await bridge.train(str(text), preset("quick"))
    assert run.manifest().corpus.spec == str(text)
    assert started == [(run, {"leave_core": True})]
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
    assert [ready.first for ready in heard.of(ModelReady)] == [True]  # type: ignore[attr-defined]
    assert (bridge.model.step, bridge.model.memory) == (200, 250_000_000)


async def test_a_model_asked_for_before_the_process_is_there_is_loaded_by_it(bridge: Bridge, heard: Heard, engine):
    bridge.attach(make_run("a-01"))
    assert not bridge.generator.ready
    await bridge.generator.start()
    await settled()
    assert bridge.generator.ready


async def ready_to_speak(bridge: Bridge) -> None:
    bridge.attach(make_run("a-01"))
    await bridge.generator.start()
    await settled()


async def test_a_reply_is_text_and_an_end(bridge: Bridge, heard: Heard, engine):
    await ready_to_speak(bridge)
    bridge.generator.generate("to be", SamplingSettings())
    assert bridge.generator.speaks
    await settled()
    assert [piece.text for piece in heard.of(ReplyText)] == ["[b]to be[/b] and so on"]  # type: ignore[attr-defined]
    assert len(heard.of(ReplyEnded)) == 1
    assert bridge.generator.ready


async def test_tokens_after_a_cancel_are_dropped(bridge: Bridge, heard: Heard, engine):
    engine.holds_replies = True
    await ready_to_speak(bridge)
    bridge.generator.generate("to be", SamplingSettings())
    await settled()
    bridge.generator.cancel()
    bridge.generator.cancel()
    await settled()
    assert "TOO LATE" not in "".join(piece.text for piece in heard.of(ReplyText))  # type: ignore[attr-defined]
    assert [end.ended.reason for end in heard.of(ReplyEnded)] == ["cancelled"]  # type: ignore[attr-defined]


async def test_messages_about_other_ids_are_dropped(bridge: Bridge, heard: Heard, engine):
    await ready_to_speak(bridge)
    heard.clear()
    engine.processes[0].say(Tokens(999, "ghost", 1))
    engine.processes[0].end(999)
    engine.processes[0].say(Failed(999, "checkpoint", "an old model was damaged"))
    assert not heard


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
        assert [failure.sentence for failure in heard.of(ModelFailed)] == ["cut in half"]  # type: ignore[attr-defined]
        append(run, saved(110))
        bridge.poll()
    assert [type(request) for request in process.requests] == [Load, Load]


async def test_a_dead_process_gives_the_prompt_back_and_is_started_again(bridge: Bridge, heard: Heard, engine):
    engine.holds_replies = True
    await ready_to_speak(bridge)
    bridge.generator.generate("to be", SamplingSettings())
    await settled()
    engine.processes[0].die(-9, "the generate process ended by SIGKILL")
    await settled()
    assert [failure.prompt for failure in heard.of(ReplyFailed)] == ["to be"]  # type: ignore[attr-defined]
    assert len(engine.processes) == 2
    assert bridge.generator.ready
    assert "SIGKILL" in heard.of(Notice)[0].sentence  # type: ignore[attr-defined]


async def test_a_process_that_keeps_dying_is_left_alone(bridge: Bridge, heard: Heard, engine):
    await ready_to_speak(bridge)
    for number in range(3):
        engine.processes[number].die(1, "the generate process ended with code 1 (no module named torch)")
        await settled()
    assert len(engine.processes) == 3
    assert "no module named torch" in heard.of(ModelFailed)[0].sentence  # type: ignore[attr-defined]
    assert not bridge.generator.ready
