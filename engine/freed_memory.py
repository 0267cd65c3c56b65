"""Keeps memory that tensors freed for the next ones, instead of giving it back to the kernel.

glibc gives large blocks back to the kernel at once. But an update frees just what the next one asks for again, and so
does the reading of a prompt, and the kernel would map and clear each page again: thousands of them in a small step, a
tenth to a quarter of its time.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # numbers of mallopt's parameters, in malloc.h


def keep_freed_memory(most: int) -> bool:
    """Let this process keep up to `most` bytes that it freed. False where the C library is not glibc."""
    set_option = _glibc("mallopt")
    if set_option is None:
        return False
    largest = min(most, 2**31 - 1)  # a C int
    # Before glibc 2.35 a block of its own begins at 32 MB at the latest.
    apart = set_option(_MMAP_THRESHOLD, largest) or set_option(_MMAP_THRESHOLD, min(largest, 1 << 25))
    return bool(apart and set_option(_TRIM_THRESHOLD, largest))


def give_back() -> None:
    """Give what was kept back to the kernel, as after a model that will not be needed again."""
    trim = _glibc("malloc_trim")
    if trim is not None:
        trim(0)


def _glibc(name: str) -> Callable[..., int] | None:
    """That function of the C library, where there is one."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        return getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError):
        return None
