"""Verbs whose output nobody reads any more, or no disk takes: real pipes, and real processes where that matters."""

import contextlib
import io
import os
import shlex
import signal
import subprocess
import sys
import threading
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


@pytest.mark.parametrize(
    "words",
    [
        "generate --prompt the --max-tokens 9",
        pytest.param("score --text the", marks=pytest.mark.long),
        pytest.param("evaluate", marks=pytest.mark.long),
    ],
)
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


@pytest.mark.long
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


@pytest.mark.long
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


class Drawn:
    """A training that is followed on a terminal, in a process group of its own, as a shell's job is."""

    def __init__(self, home: Path, name: str) -> None:
        self.run = Run(home / "data" / "runs" / name)
        self._home = home
        self._terminal, side = os.openpty()
        self.child = subprocess.Popen(
            (*COMMAND, "train", "cats.txt", "--steps", "1000000", "--name", name, *TINY, "--json"),
            stdout=subprocess.PIPE, stderr=side, text=True, cwd=home, env=environment(home) | {"TERM": "xterm"},
            process_group=0,
        )  # fmt: skip
        os.close(side)
        self.seen = b""
        self.read_until(b"step")

    def read_until(self, wanted: bytes) -> None:
        while wanted not in self.seen:
            self.seen += os.read(self._terminal, 65536)

    def end(self) -> str:
        """The events, once it has ended and `seen` is whole."""
        events: list[str] = []
        assert self.child.stdout is not None
        reader = threading.Thread(target=lambda: events.append(self.child.stdout.read()))  # pyright: ignore
        reader.start()
        with contextlib.suppress(OSError):  # the other end is closed
            while piece := os.read(self._terminal, 65536):
                self.seen += piece
        os.close(self._terminal)
        self.child.wait(120)
        reader.join()
        return events[0]

    def cursor_is_shown(self) -> bool:
        return self.seen.rindex(b"\x1b[?25h") > self.seen.rindex(b"\x1b[?25l")

    def stop_run(self) -> None:
        until(self.run, "running")  # it goes on without the command
        stopped = subprocess.run((*COMMAND, "stop", self.run.name), env=environment(self._home), capture_output=True)
        assert stopped.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_the_training_running_and_the_terminal_with_its_cursor(
    trained: Path, number: signal.Signals
) -> None:
    drawn = Drawn(trained, f"drawn-{number.name}")
    drawn.child.send_signal(number)
    events = drawn.end()
    assert drawn.child.returncode == 128 + number
    assert drawn.cursor_is_shown()
    assert f"'{drawn.run.name}' goes on in the background".encode() in drawn.seen
    assert '"event":"step"' in events  # to standard output, and only there
    assert b'"event"' not in drawn.seen
    drawn.stop_run()


@pytest.mark.long
def test_a_suspended_verb_gives_the_cursor_back_and_says_that_the_training_goes_on(trained: Path) -> None:
    drawn = Drawn(trained, "suspended")
    drawn.child.send_signal(signal.SIGTSTP)
    _, status = os.waitpid(drawn.child.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    drawn.read_until(b"goes on in the background")
    assert drawn.cursor_is_shown()
    step = (drawn.run.status() or pytest.fail("no status")).step
    deadline = time.monotonic() + 120
    while (drawn.run.status() or pytest.fail("no status")).step == step:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    drawn.child.send_signal(signal.SIGCONT)
    drawn.child.send_signal(signal.SIGTERM)
    drawn.end()
    assert drawn.child.returncode == 143
    assert drawn.cursor_is_shown()
    drawn.stop_run()


def test_the_second_control_c_takes_the_stop_back(trained: Path) -> None:
    drawn = Drawn(trained, "taken-back")
    drawn.child.send_signal(signal.SIGINT)
    drawn.read_until(b"press Ctrl-C again to leave it running")
    drawn.child.send_signal(signal.SIGINT)
    drawn.end()
    assert drawn.child.returncode == 130
    assert b"'taken-back' goes on in the background" in drawn.seen
    assert drawn.cursor_is_shown()
    drawn.stop_run()
