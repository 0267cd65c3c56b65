"""The compiled functions under the compiler's sanitizers: random tasks, of which no memory but their own is touched."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

COMPILER = os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")
DRIVER = Path(__file__).with_name("random_tasks.c")
SEEDS = 200


@pytest.mark.long
@pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")
def test_random_tasks(tmp_path: Path) -> None:
    program = tmp_path / "random_tasks"
    done = subprocess.run(
        [COMPILER, "-std=gnu11", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", DRIVER,
         "-o", program, "-lm"],
        capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"{COMPILER} has no such sanitizers: {done.stderr[-300:]}")
    done = subprocess.run([program, "1", str(SEEDS)], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
