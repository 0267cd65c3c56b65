"""The compiled step under the compiler's sanitizers: random models, of which no memory but their own is touched."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

COMPILER = os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")
DRIVER = Path(__file__).with_name("random_models.c")
SEEDS = 200


def build(tmp_path: Path, sanitizers: str) -> Path:
    program = tmp_path / "random_models"
    command = [COMPILER, "-std=gnu11", "-O1", "-g", f"-fsanitize={sanitizers}", "-fno-sanitize-recover=all", DRIVER,
               "-o", program, "-lm", "-pthread"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"{COMPILER} has no such sanitizers: {done.stderr[-300:]}")
    return program


@pytest.mark.long
@pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")
@pytest.mark.parametrize("sanitizers", ["address,undefined", "thread"])
def test_random_models(tmp_path: Path, sanitizers: str) -> None:
    program = build(tmp_path, sanitizers)
    done = subprocess.run([program, "1", str(SEEDS)], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
