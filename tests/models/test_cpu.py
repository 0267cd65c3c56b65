"""The CPU as the system describes it."""

import os
import subprocess
import sys

import pytest
import torch
from minigpt_tui.models.cpu import cpu_name, has_bfloat16, physical_cores, total_memory


def test_cores_are_those_this_process_may_use():
    assert 1 <= physical_cores() <= (os.cpu_count() or 1)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no affinity")
def test_a_process_bound_to_one_core_has_one():
    program = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
        "from minigpt_tui.models.cpu import physical_cores; print(physical_cores())"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "1\n"


def test_the_name_is_one_line():
    assert cpu_name()
    assert "\n" not in cpu_name()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux says so")
def test_the_computer_has_memory():
    there = total_memory()
    assert there
    assert there > 1 << 28


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux says so")
def test_torch_finds_the_same_instructions():
    assert has_bfloat16() >= torch.cpu._is_avx512_bf16_supported()  # pyright: ignore[reportPrivateUsage]
