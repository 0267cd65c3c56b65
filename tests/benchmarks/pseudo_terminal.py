"""A pseudo-terminal around one command, for measurements that must see bytes the moment they are painted."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping


class PseudoTerminal:
    """Runs `command` in a terminal of the given size; `started` is the time of the fork."""

    def __init__(self, command: list[str], environment: Mapping[str, str], width: int = 120, height: int = 40) -> None:
        self.started = time.perf_counter()
        self.pid, self._file = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], command, {**os.environ, "TERM": "xterm-256color", **environment})
        fcntl.ioctl(self._file, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def press(self, keys: str) -> None:
        """Send keys as a terminal does."""
        os.write(self._file, keys.encode())

    def wait_for(self, text: str, seconds: float = 60.0) -> float:
        """The time at which `text` was painted. Raises TimeoutError, or EOFError where the command ended."""
        wanted, seen = text.encode(), b""
        deadline = time.perf_counter() + seconds
        while wanted not in seen:
            seen = seen[-len(wanted) :] + self.read(deadline)
        return time.perf_counter()

    def read(self, deadline: float) -> bytes:
        """The next bytes that are painted, waited for until `deadline` on time.perf_counter()."""
        ready, _, _ = select.select([self._file], [], [], max(0.0, deadline - time.perf_counter()))
        if not ready:
            raise TimeoutError("nothing was painted in time")
        try:
            return os.read(self._file, 1 << 16)
        except OSError as error:
            raise EOFError("the command ended") from error

    def drain(self, seconds: float) -> bytes:
        """Everything painted within the next seconds."""
        deadline, seen = time.perf_counter() + seconds, b""
        while time.perf_counter() < deadline:
            try:
                seen += self.read(deadline)
            except TimeoutError:
                break
        return seen

    def maps(self) -> str:
        """The files that the process has mapped (Linux)."""
        with open(f"/proc/{self.pid}/maps") as file:
            return file.read()

    def cpu_seconds(self) -> float:
        """User and system time of the process so far (Linux)."""
        with open(f"/proc/{self.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """End the command and wait for it."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._file)
