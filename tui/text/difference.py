"""What differs between two states of a text, as one edit."""

from __future__ import annotations

from collections.abc import Callable


def difference(before: str, after: str) -> tuple[int, int, int]:
    """(start, end, end_after): the one text becomes the other when before[start:end] becomes after[start:end_after]."""
    shorter = min(len(before), len(after))
    start = _most(shorter, lambda length: before.startswith(after[:length]))
    same = _most(shorter - start, lambda length: before.endswith(after[len(after) - length :]))
    return start, len(before) - same, len(after) - same


def _most(largest: int, holds: Callable[[int], bool]) -> int:
    """The largest number up to `largest` for which something holds that holds for all smaller ones."""
    low = 0
    while low < largest:
        middle = (low + largest + 1) // 2
        if holds(middle):
            low = middle
        else:
            largest = middle - 1
    return low
