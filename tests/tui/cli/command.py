"""The command line, called within the test's own process: a process of its own would add nothing but its start."""

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from minigpt_tui.tui.cli.main import main

TEXT = "the cat sat on the mat and the dog sat on the log while the rain fell on the plain.\n" * 60
TINY = ("--context-length=16", "--n-layer=1", "--n-head=2", "--n-kv-head=1", "--d-model=32", "--batch-size=8")

PLAIN = ("-m", "minigpt_tui.tui.cli.main", "--plain")


class Outcome(NamedTuple):
    """What a program sees of a command."""

    returncode: int
    stdout: str
    stderr: str


def command(home: Path, *words: str, stdin: str = "") -> Outcome:
    """Carry out one command line in the folder `home`, with all that the program keeps below it."""
    output, errors = io.BytesIO(), io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINIGPT_HOME", str(home))
        patch.chdir(home)
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()), "utf-8"))
        patch.setattr(sys, "stdout", io.TextIOWrapper(output, "utf-8", newline="\n", write_through=True))
        stderr = io.TextIOWrapper(errors, "utf-8", "backslashreplace", newline="\n", write_through=True)  # as Python's
        patch.setattr(sys, "stderr", stderr)
        try:
            code = main(words)
        except SystemExit as leaving:  # as argparse leaves
            code = leaving.code if isinstance(leaving.code, int) else 0
        text = output.getvalue().decode(errors="surrogateescape")  # a path may be any bytes
        said = errors.getvalue().decode()
    return Outcome(code, text, said)


def plain(home: Path, text: str | bytes, *words: str) -> Outcome:
    """What a script gets that pipes `text` into the conversation."""
    done = subprocess.run(
        [sys.executable, *PLAIN, *words], input=text.encode() if isinstance(text, str) else text, cwd=home,
        env={**os.environ, "MINIGPT_HOME": str(home)}, capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())
