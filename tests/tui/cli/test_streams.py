"""Verbs whose output nobody reads any more, or no disk takes: real pipes, and real processes where that matters."""

import contextlib
import io
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest
from minigpt_tui.engine.runs import Run
from minigpt_tui.tui.cli.main import main

from .command import TINY

COMMAND = [sys.executable, "-m", "minigpt_tui.tui"]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="the pipes of Windows break otherwise")


def environment(home: Path) -> dict[str, str]:
    """Ours with a home of its own; and the streams are as full of what waits as they are for most people."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"} | {
        "MINIGPT_HOME": str(home)
    }


def without_reader_here(home: Path, *words: str) -> tuple[int, str]:
    """The same as `without_reader` within this process, but for what an interpreter says as it ends."""
    reader, writer = os.pipe()
    os.close(reader)
    output, errors = os.fdopen(writer, "w"), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINIGPT_HOME", str(home))
        patch.chdir(home)
        patch.setattr(sys, "stdin", io.StringIO())
        patch.setattr(sys, "stdout", output)
        patch.setattr(sys, "stderr", errors)
        try:
            code = main(words)
        except SystemExit as leaving:  # as argparse leaves
            code = leaving.code if isinstance(leaving.code, int) else 0
    output.close()  # raises BrokenPipeError where something was left in the buffer
    return code, errors.getvalue()


def without_reader(home: Path, *words: str, errors_too: bool = False) -> tuple[int, str]:
    """The exit code of a verb whose reader has gone before it writes, and what it says on standard error."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        errors = writer if errors_too else subprocess.PIPE
        child = subprocess.Popen(
            [*COMMAND, *words], stdin=subprocess.DEVNULL, stdout=writer, stderr=errors, text=True, cwd=home,
            env=environment(home),
        )  # fmt: skip
    finally:
        os.close(writer)
    _, said = child.communicate(timeout=120)
    return child.returncode, said or ""


@pytest.mark.parametrize(
    "words",
    [
        ("--help",), ("train", "--help"), ("--version",), ("presets",), ("presets", "--json"), ("corpora",), ("paths",),
        ("runs",), ("runs", "--json"), ("doctor",), ("completion", "bash"), ("evaluate", "--json"),
        ("generate", "--prompt", "the", "--max-tokens", "9", "--json"),
        ("score", "--text", "the cat", "--json"), ("score", "--text", "the cat", "--explain"),
        ("export", "--to", "huggingface"),
    ],
)  # fmt: skip
def test_a_reader_that_has_gone_ends_a_verb_without_a_word(
    trained: Path, capfd: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    assert without_reader_here(trained, *words) == (141, "")
    assert capfd.readouterr().err == ""  # of the processes that it started


@pytest.mark.parametrize("words", [("--help",), ("runs",), ("generate", "--prompt", "the", "--max-tokens", "9")])
def test_the_interpreter_does_not_complain_either_as_it_ends(trained: Path, words: tuple[str, ...]) -> None:
    assert without_reader(trained, *words) == (141, "")


@pytest.mark.parametrize(("words", "code"), [(("runs",), 141), (("evaluate", "nobody"), 2)])
def test_errors_that_nobody_reads_are_the_same_failures(trained: Path, words: tuple[str, ...], code: int) -> None:
    assert without_reader(trained, *words, errors_too=True) == (code, "")


@pytest.mark.parametrize("words", ["generate --prompt the --max-tokens 9", "score --text the", "evaluate"])
def test_a_verb_does_its_work_where_standard_error_was_closed_before(trained: Path, words: str) -> None:
    command = f"exec {shlex.join(COMMAND)} {words} 2>&-"
    done = subprocess.run(
        command, shell=True, check=False, stdout=subprocess.PIPE, cwd=trained, env=environment(trained), timeout=120
    )
    assert done.returncode == 0
    assert done.stdout


def until(run: Run, state: str) -> None:
    deadline = time.monotonic() + 120
    while run.state() != state and time.monotonic() < deadline:
        time.sleep(0.05)
    assert run.state() == state


def test_a_training_goes_on_when_whoever_read_its_events_goes(trained: Path) -> None:
    words = (*COMMAND, "train", "cats.txt", "--steps", "1000000", "--name", "long", *TINY, "--json")
    child = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=trained, env=environment(trained)
    )
    assert child.stdout is not None
    assert '"starting"' in child.stdout.readline()  # as head -1 does
    child.stdout.close()
    child.stdout = None
    _, said = child.communicate(timeout=120)
    assert child.returncode == 141
    assert said == "'long' goes on in the background; stop it with: minigpt-tui stop long\n"
    run = Run(trained / "data" / "runs" / "long")
    until(run, "running")
    assert subprocess.run((*COMMAND, "stop", "long"), env=environment(trained), capture_output=True).returncode == 0
    assert run.state() == "stopped"
    assert run.checkpoint("last") is not None


def test_a_training_of_which_nobody_hears_a_word_finishes(trained: Path) -> None:
    words = ("train", "cats.txt", "--steps", "20", "--name", "unheard", *TINY)
    assert without_reader(trained, *words, errors_too=True) == (141, "")
    until(Run(trained / "data" / "runs" / "unheard"), "finished")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is always full")
@pytest.mark.parametrize("words", [("paths",), ("presets",), ("--help",), ("generate", "--prompt", "the")])
def test_a_full_disk_is_one_sentence(trained: Path, words: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            (*COMMAND, *words), stdout=full, stderr=subprocess.PIPE, text=True, env=environment(trained), timeout=120
        )
    assert result.returncode == 2
    assert result.stderr == "minigpt-tui: <stdout>: No space left on device; free some space\n"


def test_events_go_to_standard_output_and_the_progress_to_the_terminal_whose_cursor_comes_back(trained: Path) -> None:
    words = (*COMMAND, "train", "cats.txt", "--steps", "1000000", "--name", "drawn", *TINY, "--json")
    terminal, side = os.openpty()
    try:
        child = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=side, text=True, cwd=trained,
            env=environment(trained) | {"TERM": "xterm"},
        )  # fmt: skip
        os.close(side)
        drawn = b""
        while b"step" not in drawn:
            drawn += os.read(terminal, 65536)
        child.terminate()
        with contextlib.suppress(OSError):  # the other end is closed
            while piece := os.read(terminal, 65536):
                drawn += piece
        events, _ = child.communicate(timeout=120)
    finally:
        os.close(terminal)
    assert child.returncode == 143
    assert drawn.rindex(b"\x1b[?25h") > drawn.rindex(b"\x1b[?25l")
    assert '"event":"step"' in events
    assert b'"event"' not in drawn
    run = Run(trained / "data" / "runs" / "drawn")
    until(run, "running")  # it goes on without the command
    assert subprocess.run((*COMMAND, "stop", "drawn"), env=environment(trained), capture_output=True).returncode == 0
