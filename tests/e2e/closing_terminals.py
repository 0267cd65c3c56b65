"""Terminals that close under what runs in them, and what is left of that."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path


class Window:
    """A terminal of 120 x 40 with a program in it, closed as a window is: the master's descriptor goes, no signal."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.child = subprocess.Popen(
            command, preexec_fn=lambda: os.login_tty(slave), env={**os.environ, **environment, "TERM": "xterm-256color"}
        )
        os.close(slave)

    def wait_for(self, wanted: bytes, seconds: float = 60.0) -> None:
        seen, deadline = b"", time.monotonic() + seconds
        while wanted not in seen:
            assert time.monotonic() < deadline, f"{wanted!r} was not painted; the end was {seen[-500:]!r}"
            if select.select([self._master], [], [], 0.1)[0]:
                seen += os.read(self._master, 65536)

    def close(self) -> None:
        os.close(self._master)


def processes_of(home: Path) -> dict[int, float]:
    """The processes whose MINIGPT_HOME is `home`, trainings apart, with the CPU seconds that each has used."""
    found: dict[int, float] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"MINIGPT_HOME={home}".encode() not in (folder / "environ").read_bytes().split(b"\0"):
                continue
            if not (folder / "exe").readlink().name.startswith("python"):  # a shell, or the terminal itself
                continue
            if b"minigpt_tui.engine.training" in (folder / "cmdline").read_bytes():
                continue
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile, or is another person's
            continue
        if fields[0] != "Z":
            found[int(folder.name)] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return found


def wait_until_gone(home: Path, seconds: float = 20.0) -> dict[int, float]:
    """The CPU seconds that the processes of `home` had used when they were last seen, once none is left."""
    deadline, used = time.monotonic() + seconds, {}
    while now := processes_of(home):
        used |= now
        if time.monotonic() > deadline:
            for number in now:
                os.kill(number, signal.SIGKILL)
            raise AssertionError(f"still there, with so many seconds of CPU: {now}")
        time.sleep(0.1)
    return used
