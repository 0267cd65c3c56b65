"""Two real processes train what one trains, whoever starts them."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from minigpt_tui.engine.child_process import child_environment
from minigpt_tui.engine.events import Command, Started
from minigpt_tui.engine.launch import start_training
from minigpt_tui.engine.runs import Run
from minigpt_tui.engine.training import follower
from minigpt_tui.engine.training.group import Group
from minigpt_tui.engine.training.machine import device_of, threads_of
from minigpt_tui.models.config import ConfigError
from minigpt_tui.models.devices import DeviceChoice, DeviceError
from minigpt_tui.models.recipe import Budget, TrainingConfig
from minigpt_tui.models.tensor_file import load_tensors

from .alone_and_together import (
    TRAINING,
    assert_lost_and_resumable,
    assert_same_figures,
    lengthen,
    rewrite,
    steps_saved,
    train_alone,
)
from .ranks import PATIENCE, launched, outcome, train_together

ROWS = {"batch_size": 6, "micro_batch_size": 2}  # three for each of two processes, two at a time
PROCESS = "-m", "minigpt_tui.engine.training.process"
pytestmark = pytest.mark.usefixtures("polite")


@pytest.fixture
def make(make_run):
    """Makes a run without dropout, whose numbers depend on how many processes draw them."""

    def make(name: str, dropout: float = 0.0, **changes: object) -> Run:
        run = make_run(name, **{**TRAINING, **ROWS, **changes})
        manifest = run.manifest()
        rewrite(run, model=dataclasses.replace(manifest.model, residual_dropout=dropout, n_layer=3))
        return run

    return make


def torchrun(run: Run) -> subprocess.Popen[str]:
    """Two processes, as a person starts them."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", *PROCESS]
    return subprocess.Popen(
        [*command, str(run.path)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=child_environment(), cwd=run.path,
    )  # fmt: skip


def kept(run: Run) -> dict[str, torch.Tensor]:
    """What the last checkpoint holds: the weights, and the state to go on with."""
    folder = run.checkpoint("last")
    assert folder is not None
    return load_tensors(folder / "model.safetensors")[0] | load_tensors(folder / "state.safetensors")[0]


def assert_equal(one: Run, other: Run, tolerance: float) -> None:
    first, second = kept(one), kept(other)
    assert first.keys() == second.keys()
    for name in first.keys() - {"random.cpu"}:
        torch.testing.assert_close(second[name], first[name], rtol=tolerance, atol=tolerance)


@pytest.mark.long
def test_two_processes_with_muon_train_what_one_does_and_one_goes_on_with_it(make, events_of):
    alone, together = make("alone"), make("together")
    train_alone(alone)
    train_together(together)
    assert_equal(alone, together, 1e-6)
    assert_same_figures(alone, together, at_least=2)
    started = next(event for event in events_of(together) if isinstance(event, Started))
    assert "2 processes train together" in started.reason
    for run in (alone, together):
        lengthen(run, 8)
        train_alone(run, resume=True)
    assert_equal(alone, together, 3e-6)


@pytest.mark.long
def test_two_processes_with_adamw_go_on_with_what_one_has_trained(make):
    # five rows, of which one process has two and the other three
    changes = {"optimizer": "adamw", "batch_size": 5, "micro_batch_size": 0, "average": 0.0, "evaluation": "sliding"}
    alone, together = make("alone", **changes), make("together", **changes)
    for run in (alone, together):
        train_alone(run)
        lengthen(run, 8)
    train_alone(alone, resume=True)
    train_together(together, "--resume")
    assert_equal(alone, together, 1e-6)


@pytest.mark.long
def test_stopped_and_resumed_by_as_many_processes_it_is_the_same_run_bit_for_bit(make, events_of, until):
    whole, parts = (make(name, dropout=0.3, budget=Budget(12), devices=2) for name in ("whole", "parts"))
    train_together(whole)

    parts.send(Command("pause", time=time.time()))  # obeyed after the first update
    start_training(parts)  # by its own account with two
    until(lambda: parts.state() == "paused", "the pause", PATIENCE)
    assert steps_saved(events_of(parts)) == [1]
    parts.send(Command("stop", time=time.time()))
    until(lambda: not parts.is_alive(), "the end", PATIENCE)
    assert parts.state() == "stopped", parts.log_path.read_text()

    start_training(parts, resume=True)
    until(lambda: parts.state() == "finished" and not parts.is_alive(), "the end", PATIENCE)
    assert_equal(whole, parts, 0.0)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the system does not tell whose child a process is")
def test_a_process_that_dies_ends_the_run_which_can_be_resumed(make, events_of, until):
    run = make("killed", budget=Budget(1_000_000), evaluation_interval=1_000_000)
    child = torchrun(run)
    try:
        until(lambda: steps_saved(events_of(run)), "a checkpoint", PATIENCE)
        status = run.status()
        assert status is not None
        (other,) = {int(pid) for pid in Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()} - {
            status.pid
        }
        os.kill(other, signal.SIGKILL)
        output, _ = child.communicate(timeout=PATIENCE)
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
    assert child.returncode != 0
    assert not run.is_alive()
    assert_lost_and_resumable(run, output)


def lack_a_device() -> None:
    """Let the second process find no device."""

    def set_up_machine(config: TrainingConfig, group: Group | None, leave_core: bool) -> tuple[DeviceChoice, int]:
        raise DeviceError("the device 'cuda:1' is not available")

    if os.environ["RANK"] == "1":
        follower.set_up_machine = set_up_machine


@pytest.mark.long
def test_the_first_process_tells_what_another_one_failed_of(make):
    run = make("failed")
    codes, output = outcome(run, launched(run, prepare=lack_a_device))
    assert 0 not in codes
    status = run.status()
    assert status is not None
    assert status.state == "failed", output
    assert status.reason.endswith("that train together failed: the device 'cuda:1' is not available")


def test_devices_are_one_at_least():
    with pytest.raises(ConfigError, match="devices is 0"):
        TrainingConfig(devices=0)


class _Second:
    """What a device is chosen by, of the second of two processes on a machine."""

    rank = local_rank = 1
    size = local_size = 2


def test_each_process_takes_a_gpu_of_its_own_and_its_share_of_the_cores(monkeypatch):
    second = _Second()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device_of(second, "auto") == "cuda:1"  # type: ignore[arg-type]
    assert device_of(second, "cuda") == "cuda:1"  # type: ignore[arg-type]
    assert device_of(second, "cpu") == "cpu"  # type: ignore[arg-type]
    assert device_of(None, "cuda:3") == "cuda:3"
    with pytest.raises(DeviceError, match="2 processes cannot train together on 'mps'"):
        device_of(second, "mps")  # type: ignore[arg-type]
    assert threads_of(second, 0, leave_core=False) == max(1, threads_of(None, 0, leave_core=False) // 2)  # type: ignore[arg-type]
    assert threads_of(second, 1, leave_core=False) == 1  # type: ignore[arg-type]
