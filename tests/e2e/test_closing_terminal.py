"""A terminal that closes, whatever stands between it and the app: nothing stays behind, and trainings go on."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from minigpt_tui.engine.events import Command
from minigpt_tui.engine.runs import Run

from .conftest import COMMAND
from .terminal import Terminal
from .test_main_job import wait_until

pytest.importorskip("pty")

from .closing_terminals import Window, processes_of, wait_until_gone

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="no /proc to count processes in")

SPINNING = 10.0  # CPU seconds that only a process that spins uses up after its terminal has closed

WAYS = {
    "alone": f"exec {COMMAND}",
    "below a shell that waits": f"{COMMAND}; true",
    "below a script that ignores the hang-up": f"trap '' HUP; {COMMAND}; true",
    "below two that ignore it": f"trap '' HUP; sh -c '{COMMAND}; true'; true",
    "below make": "make --no-print-directory --file {folder}/Makefile",
    "with sudo's own terminal": "sudo --non-interactive --preserve-env {command}; true",
}


@pytest.mark.parametrize(
    "way",
    [way if way in ("alone", "below make") else pytest.param(way, marks=pytest.mark.long) for way in WAYS],
)
def test_nothing_stays_behind_when_a_window_closes(home: Path, way: str) -> None:
    if way == "below make" and not shutil.which("make"):
        pytest.skip("make is not installed")
    if way == "with sudo's own terminal" and (
        not shutil.which("sudo") or subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode
    ):
        pytest.skip("no sudo without a password here")
    (home / "Makefile").write_text(f"run:\n\t@trap '' HUP; {COMMAND}; true\n")
    script = WAYS[way].replace("{folder}", str(home)).replace("{command}", str(COMMAND))
    window = Window(["sh", "-c", script], {"MINIGPT_HOME": str(home)})
    try:
        window.wait_for(b"no run yet")
        wait_until(lambda: len(processes_of(home)) >= 2)  # the app and its generate process, at least
        before = processes_of(home)
    finally:
        window.close()
    after = wait_until_gone(home)
    window.child.wait(20)
    assert sum(after.get(pid, 0) - used for pid, used in before.items() if pid in after) < SPINNING


def test_nothing_stays_behind_when_a_session_of_tmux_is_killed(home: Path) -> None:
    with Terminal(f"trap '' HUP; {COMMAND}", {"MINIGPT_HOME": str(home)}) as terminal:
        terminal.wait_for("Enter trains")
        terminal.kill_session()
        wait_until_gone(home)


@pytest.mark.long
def test_a_training_goes_on_when_its_window_closes_below_a_script(home: Path) -> None:
    environment = {"MINIGPT_HOME": str(home)}
    words = ["train", "scenes.txt", "--preset", "quick", "--budget", "10 minutes", "--name", "long", "--detach"]
    started = subprocess.run([COMMAND, *words], cwd=home, env=os.environ | environment, capture_output=True, text=True)
    assert started.returncode == 0, started.stderr
    run = Run(home / "data" / "runs" / "long")
    window = Window(["sh", "-c", f"trap '' HUP; {COMMAND}; true"], environment)
    try:
        window.wait_for(b"training")
        wait_until(lambda: run.state() == "running")
    finally:
        window.close()
    wait_until_gone(home)
    before = (run.status() or pytest.fail("no status")).step
    wait_until(lambda: (run.status() or pytest.fail("no status")).step > before)
    assert run.is_alive()


LONG = "train scenes.txt --preset quick --budget '10 minutes' --name long"
VERBS = {
    "below a script that ignores the hang-up": f"trap '' HUP; {COMMAND} {LONG}; true",
    "with events in a file": f"trap '' HUP; {COMMAND} {LONG} --json > events.jsonl; true",
    "in a session of its own": f"trap '' HUP; setsid --wait {COMMAND} {LONG}; true",
    "resumed": f"trap '' HUP; {COMMAND} {LONG} --detach; {COMMAND} stop long; {COMMAND} resume long; true",
}


FIRST, *OTHERS = VERBS


@pytest.mark.parametrize("way", [FIRST, *(pytest.param(way, marks=pytest.mark.long) for way in OTHERS)])
def test_a_verb_that_follows_a_training_ends_with_its_window_and_the_training_goes_on(home: Path, way: str) -> None:
    if way == "in a session of its own" and not shutil.which("setsid"):
        pytest.skip("setsid is not installed")
    window = Window(["sh", "-c", f"cd {home}; {VERBS[way]}"], {"MINIGPT_HOME": str(home)})
    try:
        window.wait_for(b"loss")  # a step is drawn
        before = processes_of(home)
    finally:
        window.close()
    after = wait_until_gone(home)
    window.child.wait(20)
    assert sum(after.get(pid, 0) - used for pid, used in before.items() if pid in after) < SPINNING
    run = Run(home / "data" / "runs" / "long")
    step = (run.status() or pytest.fail("no status")).step
    wait_until(lambda: (run.status() or pytest.fail("no status")).step > step)
    assert run.is_alive()


@pytest.mark.long
def test_a_verb_that_follows_a_paused_training_ends_with_its_window(home: Path) -> None:
    """Nothing is drawn that could fail."""
    window = Window(["sh", "-c", f"cd {home}; trap '' HUP; {COMMAND} {LONG}; true"], {"MINIGPT_HOME": str(home)})
    run = Run(home / "data" / "runs" / "long")
    try:
        window.wait_for(b"loss")
        run.send(Command("pause"))
        wait_until(lambda: run.state() == "paused")
    finally:
        window.close()
    wait_until_gone(home)
    assert run.state() == "paused"


def test_a_verb_ends_when_the_server_of_tmux_is_killed_and_the_training_goes_on(home: Path) -> None:
    with Terminal(f"cd {home}; trap '' HUP; {COMMAND} {LONG}", {"MINIGPT_HOME": str(home)}) as terminal:
        terminal.wait_for("loss")
        terminal.hang_up()
        wait_until_gone(home)
    assert Run(home / "data" / "runs" / "long").is_alive()


@pytest.mark.long
def test_a_verb_that_says_all_into_a_file_outlives_its_window(home: Path) -> None:
    window = Window(
        ["sh", "-c", f"cd {home}; nohup {COMMAND} {LONG} > said.txt 2>&1; true"], {"MINIGPT_HOME": str(home)}
    )
    run = Run(home / "data" / "runs" / "long")
    try:
        wait_until(lambda: run.is_alive() and processes_of(home))
    finally:
        window.close()
    window.child.wait(20)
    assert processes_of(home)
    run.send(Command("stop"))
    wait_until_gone(home, 60)
    assert "stopped at step" in (home / "said.txt").read_text()


def test_without_a_terminal_the_app_says_so_and_ends(home: Path) -> None:
    """As in a container that was started without one."""
    result = subprocess.run(
        [COMMAND], stdin=subprocess.PIPE, capture_output=True, text=True, env=os.environ | {"MINIGPT_HOME": str(home)},
        timeout=60,
    )  # fmt: skip
    assert result.returncode == 2
    assert result.stderr.startswith("minigpt-tui: the app needs a terminal")
    assert not processes_of(home)
