"""What is told of runs that train while the app is open: read from real folders, on a clock of the test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from minigpt_tui.engine.events import Note
from minigpt_tui.engine.locks import acquire
from minigpt_tui.engine.run_summary import RunSummaries
from minigpt_tui.engine.run_trash import trash_run
from minigpt_tui.engine.runs import Run
from minigpt_tui.tui.run_watch import RunWatch

from .runs_on_disk import append, make_run, progress, set_status


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lock(home: Path) -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def training(lock: ExitStack, name: str = "a-01", steps: int = 50) -> Run:
    run = make_run(name, "running", steps=steps)
    lock.enter_context(acquire(run.lock_path) or pytest.fail("locked"))
    return run


def watching(clock: Clock) -> RunWatch:
    """A watch that has looked once."""
    watch = RunWatch(RunSummaries(), clock)
    assert watch.look() == []
    return watch


def told(watch: RunWatch) -> list[tuple[str, str]]:
    return [(news.name, news.what) for news in watch.look()]


@pytest.mark.parametrize("state", ["finished", "stopped", "failed"])
def test_an_end_is_told_once_and_of_older_runs_nothing(lock: ExitStack, clock: Clock, state: str):
    make_run("old-01", state)  # pyright: ignore[reportArgumentType]
    run = training(lock)
    watch = watching(clock)
    set_status(run, state, 60)  # pyright: ignore[reportArgumentType]
    (news,) = watch.look()
    assert (news.what, news.run, news.step, news.loss) == (state, run, 60, 1.9)
    assert watch.look() == []


def test_a_process_that_died_is_told_of(lock: ExitStack, clock: Clock):
    training(lock)
    watch = watching(clock)
    lock.close()
    assert told(watch) == [("a-01", "crashed")]
    assert told(watch) == []


def test_a_run_in_the_trash_is_no_news(lock: ExitStack, clock: Clock):
    run = training(lock)
    watch = watching(clock)
    lock.close()
    trash_run(run)
    assert told(watch) == []


def test_a_divergence_is_told_of_when_the_run_goes_back_and_when_it_ends(lock: ExitStack, clock: Clock):
    run = training(lock)
    append(run, Note(40, "the training diverged before step 40: the loss was 1", "warning"))
    watch = watching(clock)
    append(run, Note(60, "the training diverged before step 60: the loss was 2", "warning"))
    append(run, Note(61, "no word of diverged runs", "information"))
    (news,) = watch.look()
    assert (news.what, news.reason) == ("diverged", "the training diverged before step 60: the loss was 2")
    set_status(run, "failed", 70)
    run.write_status(replace(run.status(), reason="the training diverged before step 70"))  # pyright: ignore[reportArgumentType]
    assert told(watch) == [("a-01", "diverged")]


def test_a_stall_is_told_of_once_until_there_are_events_again(lock: ExitStack, clock: Clock):
    run = training(lock)
    watch = watching(clock)

    def passes(seconds: int) -> list[tuple[str, str]]:
        news = []
        for _ in range(seconds // 10):
            clock.now += 10
            news += told(watch)
        return news

    status = run.status()
    assert status is not None
    run.write_status(replace(status, tokens=status.step * 10_000, tokens_per_second=1_000.0))  # ten seconds a step
    assert passes(480) == [], "an evaluation of a hundred thousand tokens may take 33 s, and steps of ten are usual"
    assert passes(100) == [("a-01", "stalled")]
    assert passes(1_000) == []
    append(run, progress(130))
    assert passes(480) == []


def test_how_long_a_run_may_be_silent_is_not_known_without_its_speed(lock: ExitStack, clock: Clock):
    run = training(lock)
    status = run.status()
    assert status is not None
    run.write_status(replace(status, tokens_per_second=None))
    watch = watching(clock)
    for _ in range(600):
        clock.now += 10
        assert told(watch) == []


def test_a_pause_and_a_machine_that_slept_are_no_stalls(lock: ExitStack, clock: Clock):
    run = training(lock)
    watch = watching(clock)
    for step in range(60, 120, 10):
        append(run, progress(step))
        clock.now += 2
        assert told(watch) == []
    clock.now += 3600
    assert told(watch) == [], "nobody has looked for an hour"
    set_status(run, "paused", 120)
    for _ in range(60):
        clock.now += 10
        assert told(watch) == []


def test_lines_that_are_no_events_and_a_status_that_cannot_be_read_are_no_news(lock: ExitStack, clock: Clock):
    run = training(lock)
    watch = watching(clock)
    with run.metrics_path.open("ab") as file:
        file.write(b'{"diverged": [\n\xff diverged\nnull diverged\n')
    (run.path / "status.json").write_text("{")
    assert told(watch) == []
