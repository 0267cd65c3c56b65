"""A process that waits for a run: it trains the one that it is given, and ends without one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from minigpt_tui.data.corpus import open_corpus
from minigpt_tui.engine import launch
from minigpt_tui.engine.launch import new_run, start_training
from minigpt_tui.engine.ready_process import ReadyProcess
from minigpt_tui.engine.runs import Run
from minigpt_tui.models.presets import preset
from minigpt_tui.models.recipe import Budget


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def run(home: Path) -> Run:
    small: dict[str, Any] = {
        "n_layer": 1,
        "d_model": 16,
        "n_head": 2,
        "context_length": 16,
        "batch_size": 4,
        "budget": Budget.parse("3 steps"),
    }
    return new_run(open_corpus("tales"), preset("quick").overridden(**small))


def ended(run: Run) -> str:
    until = time.monotonic() + 60
    while run.is_alive() and time.monotonic() < until:
        time.sleep(0.05)
    status = run.status()
    return status.state if status else "unknown"


def test_it_trains_the_run_that_it_is_given(run: Run) -> None:
    ready = ReadyProcess()
    pid = start_training(run, ready=ready)
    assert pid == ready._process.pid
    assert not ready.is_waiting
    assert ended(run) == "finished", run.log_path.read_text()
    events = [json.loads(line) for line in run.metrics_path.read_text().splitlines()]
    assert [event["step"] for event in events if event["event"] == "step"][-1] == 3
    ready.close()  # ends nothing any more


def test_one_that_has_died_is_replaced_by_another_process(run: Run) -> None:
    ready = ReadyProcess()
    os.kill(ready._process.pid, signal.SIGKILL)
    ready._process.wait()
    assert not ready.is_waiting
    assert start_training(run, ready=ready) != ready._process.pid
    assert ended(run) == "finished", run.log_path.read_text()


def test_it_ends_where_the_run_needs_several_processes(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []
    monkeypatch.setattr(launch, "_new_process", lambda run, number, arguments, keep: started.append(number) or other)
    other = subprocess.Popen([sys.executable, "-c", ""])
    ready = ReadyProcess()
    assert start_training(run, devices=2, ready=ready) == other.pid
    assert started == [2]
    assert not ready.is_waiting


def test_it_ends_when_it_is_closed(home: Path) -> None:
    ready = ReadyProcess()
    assert ready.is_waiting
    ready.close()
    assert not ready.is_waiting
    assert ready._process.returncode is not None
    ready.close()


def test_it_ends_with_the_process_that_made_it(home: Path) -> None:
    code = (
        "import os; from minigpt_tui.engine.ready_process import ReadyProcess; ready = ReadyProcess(); "
        "print(ready._process.pid, flush=True); input(); os.kill(os.getpid(), 9)"
    )
    maker = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert maker.stdout is not None
    pid = int(maker.stdout.readline())
    os.kill(pid, 0)
    maker.communicate("\n")
    until = time.monotonic() + 60
    while time.monotonic() < until and is_there(pid):
        time.sleep(0.05)
    assert not is_there(pid)


def is_there(pid: int) -> bool:
    """Whether the process lives; one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        try:
            os.kill(pid, 0)
        except OSError:
            return False
        return not Path("/proc/self/stat").exists()
