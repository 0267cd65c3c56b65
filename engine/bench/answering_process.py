"""A process that works each time it is told to, as its parent sees it: the other side of generation_peers/answering."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile

from ..client import child_environment, python_module
from ..paths import state_dir
from .turns import Figure, TurnFailedError

_FAREWELL = 5.0  # seconds that a process has to end by itself
_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}  # all that is needed lies on the disk


class AnsweringProcess:
    """Starts at its first turn; between turns it sleeps, reading its standard input."""

    def __init__(self, name: str, module: str, *arguments: str) -> None:
        """`module` of this package, with the arguments of its command line; `name` is what a person calls it."""
        self.name = name
        self.facts: dict[str, Figure] = {}  # what it said of itself when it was ready
        self._command = python_module(f"{__package__}.{module}", *arguments)
        self._process: subprocess.Popen[str] | None = None
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115

    def work(self) -> dict[str, float]:
        """The figures of one turn. Raises TurnFailedError with its last word where the process has ended."""
        if self._process is None:
            state_dir().mkdir(parents=True, exist_ok=True)
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True,
                encoding="utf-8", cwd=state_dir(), env=child_environment() | _OFFLINE,
                start_new_session=True,  # the terminal's Ctrl-C reaches the bench alone, which ends this one
            )  # fmt: skip
            self.facts.update(self._read(self._process))
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # what is read then says more
            self._process.stdin.write("go\n")
            self._process.stdin.flush()
        return self._read(self._process)

    def close(self) -> None:
        """End it, by closing its standard input, and by force where that does not help."""
        if self._process is not None:
            assert self._process.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
            try:
                self._process.wait(_FAREWELL)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._errors.close()

    def _read(self, process: subprocess.Popen[str]) -> dict[str, float]:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise TurnFailedError(f"{self.name} ended with code {process.wait()}: {self._last_word()}")
        return json.loads(line)

    def _last_word(self) -> str:
        self._errors.seek(0)
        lines = [line.strip() for line in self._errors if line.strip()]
        return lines[-1][:300] if lines else "it gave no reason"
