"""The app in a home whose file system has no locks: it says so once, lists and opens runs, and uses their models."""

from __future__ import annotations

import errno
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from minigpt_tui.data.storage.errors import UserError
from minigpt_tui.engine import locks
from minigpt_tui.engine.events import RunState
from minigpt_tui.engine.runs import Run, run_to_open
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.screens.train import TrainDesk

from .runs_on_disk import make_run
from .scripted_engine import ScriptedEngine
from .seen import has_exited, notices, screen_text
from .waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="flock is of POSIX")
Engine = type[ScriptedEngine]


@pytest.fixture
def take_locks_away(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From then on `flock` answers as on some network file systems."""
    import fcntl

    def flock(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    return lambda: monkeypatch.setattr(fcntl, "flock", flock)


def with_lock_file(run: Run) -> Run:
    run.lock_path.touch()
    return run


@pytest.mark.parametrize("state", ["finished", "running"])
async def test_a_run_is_shown_and_its_model_answers(
    engine: Engine, take_locks_away: Callable[[], None], state: RunState
) -> None:
    with_lock_file(make_run("a-01", state))
    with_lock_file(make_run("a-02", state, checkpoint=False))
    take_locks_away()
    app = MinigptApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_until(pilot, lambda: app.bridge.generator.loaded is not None)
        assert [notice for notice in notices(pilot) if "cannot be locked (No locks available)" in notice]
        await pilot.press("h", "enter")
        await wait_until(pilot, lambda: "and so on" in screen_text(app))
        await pilot.press("ctrl+r")
        await wait_until(pilot, lambda: isinstance(app.screen, TrainDesk))
        await wait_until(pilot, lambda: "a-02" in screen_text(app))
        assert ("crashed" in screen_text(app)) == (state == "running")  # its heartbeat is of long ago
        for key in ("p", "s", "c"):
            await pilot.press(key)
        await pilot.press("escape", "ctrl+q")
        await wait_until(pilot, lambda: has_exited(app))
    assert app.return_code == 0


def test_the_heartbeat_says_whether_a_run_lives(home: Path, take_locks_away: Callable[[], None]) -> None:
    run = with_lock_file(make_run("a-01", "running"))
    take_locks_away()
    with pytest.raises(UserError, match="cannot be locked"):
        run.is_alive()
    assert (run.seems_alive(), run.shown_state()) == (False, "crashed")
    status = run.status()
    assert status is not None
    run.write_status(replace(status, heartbeat=time.time()))
    assert (run.seems_alive(), run.shown_state()) == (True, "running")
    assert run_to_open() == run


def test_a_look_at_a_lock_says_what_to_do(home: Path, take_locks_away: Callable[[], None]) -> None:
    run = with_lock_file(make_run("a-01"))
    take_locks_away()
    with pytest.raises(UserError, match="set MINIGPT_HOME to a folder on a disk of this machine"):
        locks.is_held(run.lock_path)
