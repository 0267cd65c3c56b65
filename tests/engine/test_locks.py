"""Locks are between processes, so each test has a second one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from minigpt_tui.engine import locks

HOLD = """
import sys, pathlib
from minigpt_tui.engine import locks
held = locks.acquire(pathlib.Path(sys.argv[1]))
print("held" if held else "refused", flush=True)
sys.stdin.read()
"""

LOOK = """
import sys, pathlib
from minigpt_tui.engine import locks
print(flush=True)
while True:
    locks.is_held(pathlib.Path(sys.argv[1]))
"""


def holder(path: Path) -> subprocess.Popen[bytes]:
    """A process that tries to hold the lock until its input closes."""
    return subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def answer(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout
    return process.stdout.readline().strip()


@pytest.mark.parametrize("end", ["kill", "close"])
def test_a_lock_is_free_when_its_holder_is_gone(tmp_path: Path, end: str) -> None:
    path = tmp_path / "lock"
    assert not locks.is_held(path)
    assert not path.exists()  # looking leaves nothing behind
    with holder(path) as process:
        assert answer(process) == b"held"
        assert locks.is_held(path)
        assert locks.acquire(path) is None
        if end == "kill":
            process.kill()
        else:
            assert process.stdin
            process.stdin.close()
        process.wait()
    assert not locks.is_held(path)
    mine = locks.acquire(path)
    assert mine
    with mine:
        pass


def test_two_cannot_hold_it(tmp_path: Path) -> None:
    mine = locks.acquire(tmp_path / "lock")
    assert mine
    with mine, holder(tmp_path / "lock") as process:
        assert answer(process) == b"refused"
        process.communicate()


def test_looking_does_not_keep_anybody_from_taking_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", LOOK, str(path)], stdout=subprocess.PIPE) as looker:
        answer(looker)
        try:
            for _ in range(200):
                mine = locks.acquire(path)
                assert mine
                mine.close()
        finally:
            looker.kill()
