"""The verbs on file systems that lack something: locks, or room."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from minigpt_tui.engine.runs import Run, RunStatus

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or shutil.which("gcc") is None, reason="needs Linux's LD_PRELOAD, and gcc"
)

NO_LOCKS = "errno = ENOLCK; return -1;"  # as some network file systems answer
LOCAL_LOCKS = "return 0;"  # what two machines see of each other's locks where these are local
VERBS = (
    ["runs"], ["stop", "cats"], ["resume", "cats"], ["generate", "cats", "--prompt", "the"], ["evaluate", "cats"],
    ["export", "cats", "--to", "huggingface"], ["score", "cats", "--text", "the cat"],
    ["train", "cats.txt", "--steps", "2"],
)  # fmt: skip


def library(folder: Path, body: str) -> Path:
    """A shared library whose `flock` does this."""
    source, target = folder / "flock.c", folder / "flock.so"
    source.write_text(f"#include <errno.h>\nint flock(int fd, int op) {{ (void)fd; (void)op; {body} }}\n")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", target, source], check=True, timeout=60)
    return target


def verb(home: Path, preload: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"MINIGPT_HOME": str(home), "LD_PRELOAD": str(preload)}
    return subprocess.run(
        [sys.executable, "-m", "minigpt_tui.tui", *words],
        capture_output=True, text=True, cwd=home, env=environment, stdin=subprocess.DEVNULL, timeout=60,
    )  # fmt: skip


def status(run: Run, **changes: object) -> None:
    here = {"state": "running", "pid": 1, "host": socket.gethostname(), "step": 3, "total_steps": 60}
    run.write_status(RunStatus(**here | {"heartbeat": time.time()} | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("words", VERBS, ids=lambda words: words[0])
def test_without_locks_each_verb_says_so_in_one_sentence(trained: Path, tmp_path: Path, words: list[str]) -> None:
    status(Run(trained / "data" / "runs" / "cats"))
    before = sorted((trained / "data" / "runs").iterdir())
    result = verb(trained, library(tmp_path, NO_LOCKS), *words)
    assert result.returncode == 2, result
    assert result.stdout == ""
    assert result.stderr.startswith("minigpt-tui: ")
    assert len(result.stderr.splitlines()) == 1
    assert "cannot be locked (No locks available)" in result.stderr
    assert sorted((trained / "data" / "runs").iterdir()) == before


def test_a_run_of_another_host_is_left_alone_where_locks_are_local(trained: Path, tmp_path: Path) -> None:
    run, preload = Run(trained / "data" / "runs" / "cats"), library(tmp_path, LOCAL_LOCKS)
    status(run, host="elsewhere")
    assert "crashed" not in verb(trained, preload, "runs").stdout
    before = run.metrics_path.read_bytes()
    result = verb(trained, preload, "resume", "cats")
    assert result.returncode == 2
    assert "'cats' is trained on elsewhere" in result.stderr
    trainer = subprocess.run(  # nor does a train process that is started by hand
        [sys.executable, "-m", "minigpt_tui.engine.training.process", str(run.path), "--resume"],
        capture_output=True, text=True, env=os.environ | {"LD_PRELOAD": str(preload)}, timeout=60,
    )  # fmt: skip
    assert trainer.returncode == 3
    assert trainer.stderr == "'cats' is already being trained on elsewhere; stop it there first\n"
    assert run.metrics_path.read_bytes() == before


@pytest.mark.long
def test_without_locks_a_run_that_has_ended_still_speaks_and_doctor_says_why_nothing_trains(
    trained: Path, tmp_path: Path
) -> None:
    status(Run(trained / "data" / "runs" / "cats"), state="finished")
    preload = library(tmp_path, NO_LOCKS)
    assert "finished" in verb(trained, preload, "runs").stdout
    spoken = verb(trained, preload, "generate", "cats", "--prompt", "the", "--max-tokens", "3")
    assert (spoken.returncode, spoken.stderr) == (0, "")
    found = verb(trained, preload, "doctor")
    assert found.returncode == 1
    assert "error: folders, locks: " in found.stdout
    assert "set MINIGPT_HOME to a folder on a disk of this machine" in found.stdout
