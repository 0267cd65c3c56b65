"""The train process of a run whose folder is taken away."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
from minigpt_tui.engine.events import CheckpointSaved, Step
from minigpt_tui.engine.launch import start_training
from minigpt_tui.engine.runs import Run, RunError, create_run
from minigpt_tui.models.recipe import Budget
from minigpt_tui.tui.cli.main import main

ENDLESS = {"budget": Budget(1_000_000), "checkpoint_interval": 1, "evaluation_interval": 1_000_000}


@pytest.fixture
def training(make_run, events_of, until):
    """A run whose process makes steps, and that process."""
    run = make_run(**ENDLESS)
    child = subprocess.Popen(
        [sys.executable, "-m", "minigpt_tui.engine.training.process", str(run.path)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, cwd=run.path,
    )  # fmt: skip
    until(lambda: any(isinstance(event, CheckpointSaved) for event in events_of(run)), "a checkpoint")
    yield run, child
    child.kill()
    child.communicate()


@pytest.mark.parametrize(
    "how", ["deleted", *(pytest.param(how, marks=pytest.mark.long) for how in ("renamed", "replaced"))]
)
def test_a_trainer_ends_and_writes_nothing_where_its_folder_was(training, how: str) -> None:
    run, child = training
    manifest, aside = run.manifest(), run.path.with_name("aside")
    run.path.rename(aside)
    if how == "deleted":
        shutil.rmtree(aside, ignore_errors=True)
    elif how == "replaced":
        create_run(manifest)
    _, said = child.communicate(timeout=60)
    assert child.returncode == 1
    assert said.strip() == "the folder of 'tiny' was deleted or renamed while it was trained; the training has ended"
    if how == "replaced":
        assert [path.name for path in run.path.iterdir()] == ["run.json"]
    else:
        assert not run.path.exists()
    if how == "renamed":  # it can be resumed
        assert Run(aside).state() == "crashed"
        assert Run(aside).checkpoint("last") is not None
    if how == "deleted":
        assert not [path for path in run.path.parent.iterdir() if path.suffix == ".tmp"]


def test_a_stop_returns_where_the_folder_is_gone(make_run, events_of, until, monkeypatch, capsys) -> None:
    run = make_run(**ENDLESS)
    start_training(run)
    until(lambda: any(isinstance(event, Step) for event in events_of(run)), "a step")
    send = Run.send

    def send_and_rename(of: Run, command) -> None:
        send(of, command)
        of.path.rename(of.path.with_name("aside"))

    monkeypatch.setattr(Run, "send", send_and_rename)
    assert main(["stop", "tiny"]) == 2
    assert "'tiny' was deleted or renamed while it was trained" in capsys.readouterr().err
    until(lambda: not Run(run.path.with_name("aside")).is_alive(), "the end of its process")
    with pytest.raises(RunError, match="is not a run"):
        run.manifest()
