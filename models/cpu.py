"""What this computer's CPU is: its name, its cores, its instructions. Light: no torch here."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path


def cpu_name() -> str:
    """As its maker calls it, where the system says so."""
    return _cpuinfo("model name") or platform.processor() or platform.machine() or "CPU"


def has_bfloat16() -> bool:
    """Whether it has instructions for bfloat16 products. False where the system does not say (Linux does, on x86)."""
    return bool({"avx512_bf16", "amx_bf16"} & set(_cpuinfo("flags").split()))


def physical_cores() -> int:
    """Cores this process may use: without hyper-threads, within its affinity and its container's share."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    try:
        siblings = {
            Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").read_text() for cpu in allowed
        }
        cores = len(siblings)
    except OSError:
        cores = len(allowed)
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        cores = cores if quota == "max" else min(cores, int(quota) // int(period))
    except (OSError, ValueError):
        pass
    return max(1, cores)


def total_memory() -> int | None:
    """Bytes of memory that the computer has; None where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def free_memory() -> int | None:
    """Bytes of it that a new process can have now, within its container's share; None where the system does not say."""
    free: list[int] = []
    try:
        found = re.search(r"^MemAvailable:\s*(\d+) kB$", Path("/proc/meminfo").read_text(), re.MULTILINE)
        free += [1024 * int(found[1])] if found else []
        most, used = (int(Path(f"/sys/fs/cgroup/memory.{name}").read_text()) for name in ("max", "current"))
        free.append(max(0, most - used))
    except (OSError, ValueError):  # "max" is no number: there is no limit
        pass
    return min(free, default=None)


def _cpuinfo(field: str) -> str:
    """The first line of that name in /proc/cpuinfo; empty where there is none."""
    try:
        found = re.search(rf"^{field}\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        return ""
    return found[1].strip() if found else ""
