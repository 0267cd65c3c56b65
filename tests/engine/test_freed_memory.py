"""A process that keeps freed memory asks the kernel for no new pages when it needs as much again."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest
from minigpt_tui.engine.child_process import child_environment

COUNT = """
import resource, sys, torch
from minigpt_tui.engine.freed_memory import keep_freed_memory
torch.set_num_threads(1)
if sys.argv[1] == "keep":
    assert keep_freed_memory(1 << 28)
def work():
    tensors = [torch.ones(1 << 18) for _ in range(40)]  # 40 MB in blocks of one
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(mode: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", COUNT, mode], capture_output=True, text=True, check=True, env=child_environment()
    )
    return int(done.stdout)


@pytest.mark.long
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told to keep freed memory")
def test_kept_memory_is_not_mapped_again() -> None:
    assert 4 * page_faults("keep") < page_faults("give back")
