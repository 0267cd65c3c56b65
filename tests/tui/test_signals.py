"""How the app ends when the terminal or the system wants it to: in order, and with the terminal as it was."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pty = pytest.importorskip("pty")

START = "from minigpt_tui.tui.app import run_app; raise SystemExit(run_app())"


@pytest.fixture
def terminal(home: Path):
    """The app in a terminal of 120 x 40, painted; the terminal's own end of it comes along."""
    import fcntl
    import struct
    import termios

    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    app = subprocess.Popen(
        [sys.executable, "-c", START], preexec_fn=lambda: os.login_tty(slave),
        env={**os.environ, "TERM": "xterm-256color"},
    )  # fmt: skip
    os.close(slave)
    read_until(master, b"no run yet")
    yield app, master
    app.kill()
    app.wait()


def read_until(master: int, wanted: bytes) -> None:
    seen, deadline = b"", time.monotonic() + 30
    while wanted not in seen:
        assert time.monotonic() < deadline, f"{wanted!r} was not painted"
        if select.select([master], [], [], 0.1)[0]:
            seen += os.read(master, 65536)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_app_in_order(terminal, number: signal.Signals):
    app, master = terminal
    app.send_signal(number)
    read_until(master, b"\x1b[?1049l")  # the terminal's own screen is back
    assert app.wait(20) == 0
    os.close(master)


def test_a_terminal_that_disappears_ends_the_app(terminal):
    app, master = terminal
    os.close(master)
    assert app.wait(20) is not None
