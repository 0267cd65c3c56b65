"""Runs whose files are damaged, mixed up or moved: each verb says what is wrong, and the other runs stay usable."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from minigpt_tui.engine.runs import Run, list_runs, run_to_open
from minigpt_tui.models.tensor_file import load_tensors, save_tensors

from .command import TEXT, TINY, command


@pytest.fixture
def cats(trained_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The finished run `cats` in a home of its own."""
    home = shutil.copytree(trained_once, tmp_path / "home")
    monkeypatch.setenv("MINIGPT_HOME", str(home))
    run = Run(home / "data" / "runs" / "cats")
    change(run, corpus=json.loads((run.path / "run.json").read_text())["corpus"] | {"spec": str(home / "cats.txt")})
    return run


def change(run: Run, **fields: Any) -> None:
    path = run.path / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def home_of(run: Run) -> Path:
    return run.path.parents[2]


@pytest.mark.parametrize("created", [None, 1e300, -1e300, 1e18], ids=str)
def test_a_run_with_an_impossible_date_is_listed(cats: Run, created: float | None) -> None:
    change(cats, created=created)
    shown = command(home_of(cats), "runs")
    assert shown.returncode == 0
    assert "cats" in shown.stdout
    listed = json.loads(command(home_of(cats), "runs", "--json").stdout, parse_constant=lambda word: pytest.fail(word))
    assert [row["name"] for row in listed] == ["cats"]


def test_the_table_shows_the_best_loss(cats: Run) -> None:
    status = cats.status()
    assert status is not None
    assert status.best_validation_loss is not None
    assert f"{status.best_validation_loss:.4f}" in command(home_of(cats), "runs").stdout.split("best", 1)[1]


def test_a_damaged_run_is_opened_with_a_sentence_and_hides_no_good_one(cats: Run) -> None:
    damaged = Run(shutil.copytree(cats.path, cats.path.with_name("dogs")))
    (damaged.path / "run.json").write_text('{"name": "dogs"')
    os.utime(damaged.path / "run.json", (time.time() + 9, time.time() + 9))
    assert list_runs() == [damaged, cats]
    assert run_to_open() == cats
    opened = command(home_of(cats), "open", "dogs")
    assert (opened.returncode, opened.stdout) == (2, "")
    assert opened.stderr.startswith("minigpt-tui: the run 'dogs' cannot be read")
    assert "dogs" in command(home_of(cats), "runs").stdout


def test_weights_without_end_have_no_loss(cats: Run) -> None:
    best = cats.checkpoint("best")
    assert best is not None
    tensors, metadata = load_tensors(best / "model.safetensors")
    huge = {name: torch.full_like(tensor, 3e38) if "norm" in name else tensor for name, tensor in tensors.items()}
    save_tensors(best / "huge", huge, metadata)
    (best / "huge").rename(best / "model.safetensors")
    for words in (("evaluate", "cats"), ("evaluate", "cats", "--json")):
        result = command(home_of(cats), *words)
        assert (result.returncode, result.stdout) == (2, "")
        assert "is no number" in result.stderr


def test_evaluate_takes_a_device_and_a_dtype(cats: Run) -> None:
    exact = json.loads(command(home_of(cats), "evaluate", "cats", "--json").stdout)
    result = command(home_of(cats), "evaluate", "cats", "--json", "--device", "cpu", "--dtype", "bfloat16")
    assert result.returncode == 0
    assert json.loads(result.stdout)["loss"] == pytest.approx(exact["loss"], rel=0.02)
    assert json.loads(result.stdout)["loss"] != exact["loss"]
    missing = command(home_of(cats), "evaluate", "cats", "--device", "cuda:9")
    assert missing.returncode == 2
    assert "'cuda:9' is not available" in missing.stderr


def test_a_checkpoint_of_two_steps_is_passed_over_or_refused(cats: Run) -> None:
    last = cats.checkpoints / "last"
    tensors, metadata = load_tensors(last / "state.safetensors")
    save_tensors(last / "other", tensors | {"step": torch.tensor(59)}, metadata)
    (last / "other").rename(last / "state.safetensors")
    shutil.rmtree(cats.checkpoints / "best")
    result = command(home_of(cats), "resume", "cats", "--budget", "90 steps")
    assert result.returncode == 1
    assert "mixes files of the steps 59, 60; use another checkpoint" in result.stderr
    status = cats.status()
    assert status is not None
    assert (status.state, status.step) == ("finished", 60)  # it is as good as before


@pytest.mark.parametrize(
    "counter", [{"step": -1}, {"seconds": 1e999}, {"learning_rate_scale": 0}, {"recoveries": -3}], ids=str
)
def test_counters_out_of_range_are_refused(cats: Run, counter: dict[str, float]) -> None:
    for path in cats.checkpoints.glob("*/minigpt.json"):
        content = json.loads(path.read_text())
        content["training"] |= counter
        path.write_text(json.dumps(content).replace("Infinity", "1e999"))
    result = command(home_of(cats), "resume", "cats", "--budget", "90 steps")
    assert result.returncode == 1
    assert "does not say how far the run was" in result.stderr


def test_a_text_that_has_moved_is_named_and_checked(cats: Run) -> None:
    home = home_of(cats)
    (home / "cats.txt").rename(home / "moved.txt")
    result = command(home, "resume", "cats", "--budget", "70 steps")
    assert result.returncode == 1
    assert "minigpt-tui resume cats --corpus PATH" in result.stderr
    status = cats.status()
    assert status is not None
    assert status.state == "finished"
    (home / "dogs.txt").write_text(TEXT.replace("cat", "dog"))
    result = command(home, "resume", "cats", "--corpus", "dogs.txt")
    assert result.returncode == 2
    assert "dogs.txt is not the text that 'cats' was made with" in result.stderr
    result = command(home, "resume", "cats", "--corpus", "moved.txt", "--budget", "70 steps")
    assert result.returncode == 0, result.stderr
    assert cats.manifest().corpus.spec == str(home / "moved.txt")
    assert command(home, "evaluate", "cats").returncode == 0


def test_a_device_that_is_not_there_leaves_no_run(cats: Run) -> None:
    result = command(home_of(cats), "train", "cats.txt", "--device", "cuda:9", "--name", "nowhere")
    assert result.returncode == 2
    assert "the device 'cuda:9' is not available; choose auto or one of" in result.stderr
    assert list_runs() == [cats]


def test_a_text_from_standard_input_is_its_owners_alone(home: Path) -> None:
    result = command(home, "train", "-", "--steps", "1", "--detach", "--name", "piped", *TINY, stdin=TEXT)
    assert result.returncode == 0, result.stderr
    (kept,) = (home / "data" / "inputs").iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    while Run(home / "data" / "runs" / "piped").state() not in ("finished", "failed"):
        time.sleep(0.05)


@pytest.mark.parametrize("name", ["models--..--evil", "models--owner--name"])
def test_an_export_without_a_name_stays_in_the_current_folder(cats: Run, tmp_path: Path, name: str) -> None:
    best = cats.checkpoint("best")
    assert best is not None
    snapshot = tmp_path / name / "snapshots" / "0123"
    shutil.copytree(best, snapshot)
    (snapshot / "minigpt.json").unlink()
    here = home_of(cats)
    result = command(here, "export", str(snapshot), "--to", "huggingface")
    assert result.returncode == 0, result.stderr
    assert Path(result.stdout.strip()) == here / f"{name.rsplit('--', 1)[1]}-huggingface"


@pytest.mark.long
def test_a_model_speaks_where_nothing_can_be_written(cats: Run, tmp_path: Path) -> None:
    best = cats.checkpoint("best")
    assert best is not None
    (tmp_path / "file").touch()
    environment = os.environ | {"MINIGPT_HOME": str(tmp_path / "file" / "home")}
    for words in (
        ("generate", str(best), "--prompt", "the", "--max-tokens", "3"), ("score", str(best), "--text", "the cat"),
        ("export", str(best), "--to", "huggingface", "--output", str(tmp_path / "exported")),
    ):  # fmt: skip
        result = subprocess.run(
            [sys.executable, "-m", "minigpt_tui.tui", *words], capture_output=True, text=True, env=environment,
            stdin=subprocess.DEVNULL, timeout=120,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        assert result.stdout
        assert result.stderr.count("cannot be written, so this command's log lies in") == 1


def command_line(pid: str) -> bytes:
    """What Linux says of a process: nothing once it has ended, and for an instant while it becomes another program."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def test_a_killed_evaluation_leaves_no_process(cats: Run) -> None:
    home = home_of(cats)
    (home / "long.txt").write_text(TEXT * 400)
    program = subprocess.Popen(
        [sys.executable, "-m", "minigpt_tui.tui", "evaluate", "cats", "--on", str(home / "long.txt")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    children = Path(f"/proc/{program.pid}/task/{program.pid}/children")
    if not children.exists():
        program.kill()
        pytest.skip("asks Linux for the children of a process")
    while not (child := [pid for pid in children.read_text().split() if b"evaluate_process" in command_line(pid)]):
        assert program.poll() is None
        time.sleep(0.01)
    program.send_signal(signal.SIGKILL)
    program.communicate()
    deadline = time.monotonic() + 30
    while command_line(child[0]):
        assert time.monotonic() < deadline
        time.sleep(0.1)
