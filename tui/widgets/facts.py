"""Labels and values in columns: a dim label at the left, its value at the right."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

DIM = "$foreground-muted"  # Content cannot resolve $text-muted where a theme says "auto" for it
GAP = 2


def in_two_columns(facts: Sequence[tuple[str, str]], width: int) -> list[Content]:
    """One line for every two (label, value) pairs, `width` cells wide; values that are too long end in an ellipsis."""
    column = max(1, (width - GAP) // 2)
    lines = []
    for i in range(0, len(facts), 2):
        left, *right = (_fact(label, value, column) for label, value in facts[i : i + 2])
        lines.append(Content.assemble(left, " " * (width - 2 * column), *right))
    return lines


def spread(left: Content, right: Content, width: int) -> Content:
    """One line of `width` cells with `left` and `right` at its ends; `left` is cut where both do not fit."""
    room = max(0, width - right.cell_length - 1)
    return Content.assemble(left.truncate(room, ellipsis=True, pad=True), " ", right)


def labelled(*facts: tuple[str, str | Content]) -> Content:
    """One line for each (label, value)."""
    lines = [Content.assemble((f"{label:<12}", "$foreground-muted"), value) for label, value in facts]
    return Content("\n").join(lines)


def _fact(label: str, value: str, width: int) -> Content:
    shown = Content(value).truncate(max(1, width - len(label) - 1), ellipsis=True)
    space = " " * (width - len(label) - shown.cell_length)
    return Content.assemble((label, DIM), space, shown)
