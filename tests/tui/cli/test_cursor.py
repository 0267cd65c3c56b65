"""A verb that hides the cursor while it draws shows it again however it ends: real processes in a real terminal."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic

import pytest

pytest.importorskip("pty")

COMMAND = (sys.executable, "-m", "minigpt_tui.tui")
SHOW, HIDE = b"\x1b[?25h", b"\x1b[?25l"
VERBS = {
    "evaluate": ("evaluate",),
    "score": ("score", "cats", "cats.txt"),
    "export": ("export", "--to", "gguf", "--output", "out.gguf"),
    "resume": ("resume", "cats", "--budget", "1000000 steps"),
}
SIGNALS = [signal.SIGTERM, *(pytest.param(number, marks=pytest.mark.long) for number in (signal.SIGINT, signal.SIGHUP))]


class Drawing:
    """A verb in a terminal of its own, when it has begun to draw."""

    def __init__(self, home: Path, *words: str) -> None:
        self._terminal, side = os.openpty()
        environment = os.environ | {"MINIGPT_HOME": str(home), "TERM": "xterm"}
        self.child = subprocess.Popen(
            words,
            stdin=side,
            stdout=side,
            stderr=side,
            cwd=home,
            env=environment,
            preexec_fn=lambda: os.login_tty(side),
        )
        os.close(side)
        self.seen = b""

    def read_until(self, wanted: bytes) -> None:
        while wanted not in self.seen:
            self.seen += os.read(self._terminal, 65536)

    def read_to_the_end(self) -> int:
        with contextlib.suppress(OSError):  # the other side is closed
            while piece := os.read(self._terminal, 65536):
                self.seen += piece
        os.close(self._terminal)
        return self.child.wait(60)

    def cursor_is_shown(self) -> bool:
        return self.seen.rindex(SHOW) > self.seen.rindex(HIDE)


def stop_when_it_trains(home: Path) -> None:
    """End the training of the run: right after its start it is not under way yet."""
    deadline = monotonic() + 60
    while subprocess.run(
        (*COMMAND, "stop", "cats"), env=os.environ | {"MINIGPT_HOME": str(home)}, check=False
    ).returncode:
        assert monotonic() < deadline


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
@pytest.mark.parametrize("verb", list(VERBS))
def test_the_cursor_is_shown_after_a_signal(trained: Path, verb: str, number: signal.Signals) -> None:
    drawing = Drawing(trained, *COMMAND, *VERBS[verb])
    drawing.read_until(HIDE)
    drawing.child.send_signal(number)
    if verb == "resume" and number == signal.SIGINT:
        drawing.read_until(b"press Ctrl-C again")
        drawing.child.send_signal(number)
    code = drawing.read_to_the_end()
    assert drawing.cursor_is_shown()
    assert b"Traceback" not in drawing.seen
    assert code == 128 + number
    if verb == "resume":
        assert b"goes on in the background" in drawing.seen
        stop_when_it_trains(trained)


@pytest.mark.parametrize(
    "verb", ["evaluate", *(pytest.param(verb, marks=pytest.mark.long) for verb in ("export", "score"))]
)
def test_the_cursor_is_shown_while_a_verb_is_suspended(trained: Path, verb: str) -> None:
    drawing = Drawing(trained, "sh", "-c", f"set -m; {' '.join((*COMMAND, *VERBS[verb]))}; echo back; fg; echo done")
    drawing.read_until(HIDE)
    shell = drawing.child.pid
    job = int(subprocess.run(["pgrep", "-P", str(shell)], capture_output=True, text=True, check=True).stdout.split()[0])
    os.killpg(job, signal.SIGTSTP)
    drawing.read_until(b"back")
    before = drawing.seen.partition(b"back")[0]
    assert before.rindex(SHOW) > before.rindex(HIDE)
    drawing.read_until(b"done")
    drawing.read_to_the_end()
    assert drawing.cursor_is_shown()


@pytest.mark.long
@pytest.mark.skipif(not shutil.which("timeout"), reason="no timeout here")
def test_the_cursor_is_shown_after_timeout(trained: Path) -> None:
    drawing = Drawing(trained, "timeout", "--foreground", "4", *COMMAND, "bench", "--seconds", "60")
    assert drawing.read_to_the_end() == 124
    assert drawing.cursor_is_shown()


STUCK = """
import os, signal, time
from minigpt_tui.tui.cli import console
from rich.progress import Progress

console.LEAVE_SECONDS = 0.1
with console.cursor_restored(Progress()):
    while True:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(9)
        except SystemExit:
            time.sleep(9)  # as where the signal came amid something that waits for a lock
"""


def test_a_verb_that_is_stuck_ends_all_the_same() -> None:
    assert subprocess.run([sys.executable, "-c", STUCK], timeout=8, check=False).returncode == 128 + signal.SIGTERM
