"""The compiled part under the compiler's sanitizers: random work, in which no memory but its own is touched."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

COMPILER = os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")
SEEDS = 200


@pytest.mark.long
@pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")
@pytest.mark.parametrize(
    ("driver", "sanitizers"),
    [("random_models", "address,undefined"), ("random_models", "thread"), ("random_tasks", "address,undefined")],
)
def test_random_work(tmp_path: Path, driver: str, sanitizers: str) -> None:
    program = tmp_path / driver
    command = [str(COMPILER), "-std=gnu11", "-O1", "-g", f"-fsanitize={sanitizers}", "-fno-sanitize-recover=all",
               Path(__file__).with_name(f"{driver}.c"), "-o", program, "-lm", "-pthread"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"{COMPILER} has no such sanitizers: {done.stderr[-300:]}")
    done = subprocess.run([program, "1", str(SEEDS)], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
