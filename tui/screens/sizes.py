"""Window sizes, in characters, at which the layout changes."""

from __future__ import annotations

from textual.geometry import Size

SMALLEST = Size(60, 20)
MEDIUM = 80  # columns from which a drawer stands beside the transcript instead of over it
WIDE = 100  # columns from which all panels stand beside the transcript
LARGE = 160  # columns from which the panels are broader
TALL = 50  # rows from which a document has room for the model panel below the others

BREAKPOINTS = [(0, "-narrow"), (MEDIUM, "-medium"), (WIDE, "-wide"), (LARGE, "-large")]


def is_too_small(size: Size) -> bool:
    """Whether a window of this size is too small for every screen but TooSmallScreen."""
    return size.width < SMALLEST.width or size.height < SMALLEST.height
