"""How the process of a peer is spoken to: it loads once, and then generates once for each line that it is sent.

    standard input    "go", for each trial
    standard output   a line of facts when it is loaded, then a line of figures for each trial, both JSON objects

It ends when its standard input closes. Whatever else it prints goes to standard error.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from minigpt_tui.engine.child_process import python_module
from minigpt_tui.engine.paths import state_dir

from ...harness import Figure, TrialFailedError
from ...processes import environment, last_line

TEMPERATURE, TOP_K = 0.8, 40  # of every peer and of ours

# --- the side of the benchmark --------------------------------------------------------------------

_FAREWELL = 5.0  # seconds that a process has to end by itself
_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}  # all that is needed lies on the disk


class PeerProcess:
    """A process that starts at its first trial; between trials it sleeps, reading its standard input."""

    def __init__(self, name: str, module: str, *arguments: str) -> None:
        """The module of this package, with the arguments of its command line; `name` is what a person calls it."""
        self.name = name
        self.facts: dict[str, Figure] = {}  # what it said of itself when it was ready
        self._command = python_module(f"{__package__}.{module}", *arguments)
        self._process: subprocess.Popen[str] | None = None
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115

    def trial(self) -> dict[str, float]:
        """The figures of one trial. Raises TrialFailedError with the last line of its log where it has ended."""
        if self._process is None:
            state_dir().mkdir(parents=True, exist_ok=True)
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True,
                encoding="utf-8", cwd=state_dir(), env=environment() | _OFFLINE,
                start_new_session=True,  # the terminal's Ctrl-C reaches the harness alone, which ends this one
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
            raise TrialFailedError(f"{self.name} ended with code {process.wait()}: {self._last_word()}")
        return json.loads(line)

    def _last_word(self) -> str:
        self._errors.seek(0)
        return last_line(self._errors.read())


# --- the side of the peer -------------------------------------------------------------------------


@dataclass(frozen=True)
class GenerationJob:
    """What a peer generates in a trial: `samples` texts of `tokens` tokens each, after the tokens of `prompt`."""

    model: str  # a path
    prompt: list[int]
    tokens: int
    samples: int
    device: str
    dtype: str  # "float32" or "bfloat16"
    checkout: str  # of a peer that is no package


def read_job() -> GenerationJob:
    """The job that the command line names."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--prompt", type=lambda text: [*map(int, text.split(","))], required=True)
    parser.add_argument("--tokens", type=int, required=True)
    parser.add_argument("--samples", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--checkout", default="")
    return GenerationJob(**vars(parser.parse_args()))


class PeerServer:
    """Standard input and output as the benchmark knows them; made before a library can print there."""

    def __init__(self) -> None:
        self._pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)

    def serve(self, facts: Mapping[str, str | float], trial: Callable[[], Mapping[str, float]]) -> None:
        """Tell the facts, then do one trial for each line."""
        self._send(facts)
        for _ in sys.stdin:
            self._send(trial())

    def serve_generation(self, facts: Mapping[str, str | float], generate: Callable[[], int]) -> None:
        """The same for a function that returns how many tokens it made; it is timed here."""

        def timed() -> dict[str, float]:
            start = time.perf_counter()
            tokens = generate()
            return {"tokens": tokens, "seconds": time.perf_counter() - start}

        self.serve(facts, timed)

    def _send(self, figures: Mapping[str, str | float]) -> None:
        print(json.dumps(figures), file=self._pipe, flush=True)
