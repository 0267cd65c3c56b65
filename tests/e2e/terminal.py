"""A real terminal for tests: a tmux server of one's own, keys in, the screen out."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

_POLL = 0.03


class Terminal:
    """Runs one command in a tmux pane of a given size."""

    def __init__(self, command: str, environment: Mapping[str, str], width: int = 120, height: int = 40) -> None:
        self._server = f"minigpt-{uuid.uuid4().hex[:8]}"
        self._environment = {**os.environ, **environment, "TERM": "xterm-256color"}
        for name in (
            "NO_COLOR",
            "COLUMNS",
            "LINES",
        ):  # a process of the tests may have a size that is not the terminal's
            self._environment.pop(name, None)
        self._size = width, height
        self._exit_code = Path(tempfile.mkdtemp(prefix="minigpt-terminal-")) / "exit-code"
        # tmux now and then forgets the exit status of a pane, so the shell writes it down
        self._command = f"{command}; echo $? > {self._exit_code}"

    def __enter__(self) -> Terminal:
        width, height = self._size
        keep = ("start-server", ";", "set-option", "-g", "remain-on-exit", "on", ";")
        keep += ("set-option", "-s", "set-clipboard", "on", ";")
        self._tmux(*keep, "new-session", "-d", "-x", str(width), "-y", str(height), self._command)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note("the screen was:\n" + self.screen())
        self._tmux("kill-server", check=False)
        shutil.rmtree(self._exit_code.parent, ignore_errors=True)

    def keys(self, *names: str) -> None:
        """Press keys by tmux's names: Enter, Escape, C-q, F1, ..."""
        self._tmux("send-keys", *names)

    def type(self, text: str) -> None:
        """Type text literally."""
        self._tmux("send-keys", "-l", text)

    def bytes(self, data: bytes) -> None:
        """Send these bytes, whatever they are."""
        self._tmux("send-keys", "-H", *(f"{byte:02x}" for byte in data))

    def paste(self, text: str) -> None:
        """Paste text, marked as such where the command has asked for that."""
        self._tmux("set-buffer", "--", text, ";", "paste-buffer", "-p", "-r")

    def resize(self, width: int, height: int) -> None:
        """Change the size of the terminal while the command runs."""
        self._tmux("resize-window", "-x", str(width), "-y", str(height))

    def screen(self, *, styled: bool = False) -> str:
        """What a person sees now; with the sequences of colours and styles where it is `styled`."""
        return self._tmux("capture-pane", "-p", *(["-e"] if styled else []), check=False)

    def clipboard(self) -> str:
        """What programs have put into the clipboard."""
        return self._tmux("show-buffer", check=False)

    def cursor_is_shown(self) -> bool:
        return self.fact("cursor_flag") == "1"

    def fact(self, name: str) -> str:
        """What tmux knows of the pane: cursor_x, pane_title, ..."""
        return self._tmux("display-message", "-p", f"#{{{name}}}").rstrip("\n")

    def wait_for(self, seen: str | Callable[[str], bool], seconds: float = 60.0) -> str:
        """The first screen that holds `seen`. Fails with the last screen after `seconds`."""
        holds = seen if callable(seen) else lambda screen: seen in screen
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            screen = self.screen()
            if holds(screen):
                return screen
            time.sleep(_POLL)
        raise AssertionError(f"not seen within {seconds:.0f} s: {seen!r}")

    def wait_for_exit(self, seconds: float = 60.0) -> int:
        """The exit code of the command."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._exit_code.exists() and (code := self._exit_code.read_text().strip()):
                return int(code)
            time.sleep(_POLL)
        raise AssertionError(f"still running after {seconds:.0f} s")

    def process(self) -> int:
        """The process number of the command."""
        shell = self._tmux("display-message", "-p", "#{pane_pid}").strip()
        return int(subprocess.run(["pgrep", "-P", shell], capture_output=True, text=True, check=True).stdout.split()[0])

    def kill_session(self) -> None:
        """End the session with its windows, and leave the server."""
        self._tmux("new-session", "-d", "-s", "another", "sleep 60", ";", "kill-session", "-t", "0")

    def hang_up(self) -> None:
        """The terminal disappears under the command, as when a window is closed or a connection breaks."""
        self._tmux("kill-server", check=False)

    def _tmux(self, *words: str, check: bool = True) -> str:
        result = subprocess.run(
            ["tmux", "-L", self._server, "-f", "/dev/null", *words],
            capture_output=True, text=True, env=self._environment, check=False,
        )  # fmt: skip
        if check and result.returncode:
            raise AssertionError(f"tmux {' '.join(words)}: {result.stderr.strip()}")
        return result.stdout
