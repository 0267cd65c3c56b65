"""Runs that others write: on another host, in a folder that is mounted or copied, and several watchers of one run."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from minigpt_tui.engine.commands import new_command, send
from minigpt_tui.engine.events import COMMANDS
from minigpt_tui.engine.locks import acquire
from minigpt_tui.engine.run_about import about, rename_run
from minigpt_tui.engine.run_summary import RunSummaries
from minigpt_tui.engine.run_trash import trash_run
from minigpt_tui.engine.runs import Run, RunError
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.run_watch import RunWatch
from minigpt_tui.tui.screens.train import TrainDesk

from ..runs_on_disk import append, make_run, progress, save_checkpoint
from ..scripted_engine import ScriptedEngine
from ..seen import notices, screen_text
from ..waiting import wait_until

Engine = type[ScriptedEngine]
NOBODY = 65_534
HOUR_AND_MORE = 4000.0  # seconds


@contextmanager
def bound_by_permissions() -> Iterator[None]:
    """Root is bound by none: be another user for a while."""
    if not hasattr(os, "geteuid"):
        pytest.skip("there are no permissions like that")
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def read_only(home: Path) -> Iterator[Callable[[Run], Run]]:
    """Copies a run into a folder that everybody can look into and nobody can write to."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)

    def copied(run: Run) -> Run:
        copy = Run(Path(shutil.copytree(run.path, folder / run.name)))
        set_permissions(0o555, 0o444)
        return copy

    def set_permissions(of_folders: int, of_files: int) -> None:
        for path in (folder, *folder.rglob("*")):
            path.chmod(of_folders if path.is_dir() else of_files)

    yield copied
    set_permissions(0o755, 0o644)
    shutil.rmtree(folder)


def on_another_host(run: Run, heard: float) -> Run:
    """Let the run be trained on another host, which was heard of `heard` seconds ago."""
    status = run.status()
    assert status is not None
    run.write_status(replace(status, host="node-7\x1b[31m", heartbeat=time.time() - heard, pid=os.getpid()))
    return run


@asynccontextmanager
async def opened(run: Run | None = None, size: tuple[int, int] = (120, 40)):
    """The train desk, with `run` on the screen."""
    app = MinigptApp()
    async with app.run_test(size=size) as pilot:
        if run is not None:
            app.bridge.attach(run)
        await pilot.press("ctrl+r")
        await wait_until(pilot, lambda: isinstance(app.screen, TrainDesk))
        await pilot.pause()
        yield app, pilot


def words(app: MinigptApp) -> str:
    return " ".join(screen_text(app).replace("│", " ").split())


# --- other hosts ----------------------------------------------------------------------------------


def test_a_process_of_another_host_is_never_taken_for_one_of_this_host(home: Path):
    run = on_another_host(make_run("a-01", "running", steps=50), heard=5)
    assert (run.state(), run.is_alive()) == ("running", True)
    on_another_host(run, heard=HOUR_AND_MORE)  # with the pid of a process that lives here
    assert (run.state(), run.shown_state(), run.is_alive()) == ("silent", "silent", False)
    with pytest.raises(
        RunError, match=r"'a-01' is trained on node-7.*, which has not been heard of .* give the command"
    ):
        send(run, new_command("stop"))
    assert not run.commands_path.exists()


async def test_a_copy_of_a_run_of_another_host_says_which_host_and_since_when(engine: Engine):
    run = on_another_host(make_run("a-01", "running", steps=50), heard=HOUR_AND_MORE)
    async with opened() as (app, pilot):
        shown = words(app)
        assert "crashed" not in shown
        assert "? silent" in shown
        assert "trained on node-7�[31m, last heard of 1 h 06 m ago" in shown
        await pilot.press("p")
        await pilot.pause()
        assert "node-7" in notices(pilot)[-1]
        assert not run.commands_path.exists()
        on_another_host(run, heard=5)
        append(run, progress(60))
        await wait_until(pilot, lambda: app.bridge.state == "running")


def test_a_host_that_falls_silent_is_told_of_once(home: Path):
    run = on_another_host(make_run("a-01", "running", steps=50), heard=5)
    watch = RunWatch(RunSummaries())
    assert watch.look() == []
    on_another_host(run, heard=HOUR_AND_MORE)
    assert [(news.what, news.reason.split(",")[0]) for news in watch.look()] == [("silent", "trained on node-7�[31m")]
    assert watch.look() == []


# --- folders that cannot be written to ------------------------------------------------------------


async def test_a_folder_that_can_only_be_read_is_shown_and_each_order_refused(
    engine: Engine, read_only: Callable[[Run], Run]
):
    original = on_another_host(make_run("a-01", "running", steps=50), heard=5)
    run = read_only(original)
    shutil.rmtree(original.path)
    before = sorted(path.name for path in run.path.iterdir())
    async with opened(run) as (app, pilot):
        assert "step 50" in words(app)
        assert f"in {run.path}" in words(app)
        await pilot.pause()
        with bound_by_permissions():
            await pilot.press("p")
            await pilot.pause()
        assert "'a-01' can only be watched from here" in notices(pilot)[-1]
        with bound_by_permissions():
            await pilot.press("m", *"note", "enter")
            await pilot.pause()
        assert "Permission denied" in words(app)
        await pilot.press("escape")
    with bound_by_permissions():
        assert sorted(path.name for path in run.path.iterdir()) == before
        with pytest.raises(OSError, match="Permission denied"):
            rename_run(run, "b-02")
        assert about(run).name == ""


def test_a_folder_that_can_only_be_read_is_not_moved_to_the_trash_in_parts(read_only: Callable[[Run], Run], home: Path):
    run = read_only(make_run("a-01"))
    with bound_by_permissions(), pytest.raises(RunError, match="can only be watched from here"):
        trash_run(run)
    assert (run.path / "run.json").exists()
    assert not (home / "data" / "trash").exists()


def test_a_run_of_another_user_that_trains_lives(home: Path, read_only: Callable[[Run], Run]):
    run = make_run("a-01", "running", steps=50)
    (run.path / "lock").touch()
    run = read_only(run)
    script = f"import fcntl; f = open({str(run.lock_path)!r}); fcntl.flock(f, fcntl.LOCK_EX); print(); input()"
    holder = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdin is not None
    assert holder.stdout is not None
    holder.stdout.readline()
    with bound_by_permissions():
        assert (run.is_alive(), run.state()) == (True, "running")
    holder.communicate(b"\n")
    with bound_by_permissions():
        status = run.status()
        assert status is not None
        assert run.state() == ("crashed" if status.host == socket.gethostname() else "silent")


async def test_a_copy_that_is_called_as_a_run_here_is_a_row_of_its_own(engine: Engine, tmp_path: Path):
    here = make_run("a-01", steps=100)
    copy = Run(Path(shutil.copytree(here.path, tmp_path / "elsewhere" / "a-01")))
    append(copy, progress(200))
    async with opened(copy) as (app, pilot):
        desk = app.screen
        assert isinstance(desk, TrainDesk)
        assert desk.runs.table.row_count == 2
        assert desk.runs.selected == copy, "the cursor begins on the run on screen"
        await pilot.press("space", "up", "space")
        assert desk.runs.marked == [copy, here]
        shutil.rmtree(copy.path)
        desk.refresh_rows()
        await pilot.pause()
        assert desk.runs.table.row_count == 1


# --- several watchers -----------------------------------------------------------------------------


async def test_two_apps_and_a_command_give_orders_at_once_and_none_is_lost(engine: Engine):
    run = make_run("a-01", "running", steps=50)
    with acquire(run.lock_path) or pytest.fail("locked"):
        async with opened(run) as (_, one), opened(run) as (_, other):
            for _ in range(10):
                await one.press("p")
                await other.press("p")
                send(run, new_command("save"))
            await one.pause()
            await other.pause()
    names = [COMMANDS.decode(line).name for line in run.commands_path.read_text().splitlines()]
    assert (names.count("pause"), names.count("save")) == (20, 10)


async def test_what_one_app_calls_a_run_the_other_shows(engine: Engine):
    run = make_run("a-01")
    save_checkpoint(run)
    async with opened(run) as (app, pilot):
        rename_run(run, "best")
        assert isinstance(app.screen, TrainDesk)
        app.screen.refresh_rows()
        await pilot.pause()
        assert "best" in app.screen.runs.table.get_row_at(0)[1].plain
