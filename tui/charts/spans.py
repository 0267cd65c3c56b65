"""Rows of cells as spans of the same look, and what is done with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size


class Span(NamedTuple):
    """Neighbouring cells that look the same; `slot` is the number of a run's colour where it is one's."""

    text: str
    role: str = "axis"  # axis, legend, alarm, floor, reference, run, raw, validation, train, cursor
    slot: int = 0
    under_cursor: bool = False


@dataclass(frozen=True)
class Looks:
    """How a plot is drawn: in ASCII, and with dashes and letters where there are no colours."""

    ascii: bool = False
    dashed: bool = False


def letter_of(slot: int) -> str:
    """The letter of a run where there are no colours."""
    return "abcdefghijklmnopqrstuvwxyz"[slot % 26]


def flowed(entries: Sequence[list[Span]], width: int, most: int) -> list[list[Span]]:
    """The entries beside each other, in at most so many rows; how many are left out stands at the end."""
    rows: list[list[Span]] = [[]]
    taken, left_out = 0, 0
    for number, entry in enumerate(entries, 1):
        size = sum(cell_len(span.text) for span in entry)
        if taken and taken + 2 + size > width and len(rows) < most:
            rows[-1].append(Span(" " * (width - taken)))
            rows.append([])
            taken = 0
        # in the last row there is room for how many are left out
        room = width - (5 if len(rows) == most and number < len(entries) else 0)
        if left_out or (taken and taken + 2 + size > room):
            left_out += 1
            continue
        if size > room:
            entry, size = _cut(entry, max(0, room)), max(0, room)
        rows[-1] += [Span("  ")] * bool(taken) + entry
        taken += size + 2 * bool(taken)
    more = f" +{left_out}"
    if left_out and taken + len(more) <= width:
        rows[-1].append(Span(more))
        taken += len(more)
    rows[-1].append(Span(" " * (width - taken)))
    return rows


def _cut(spans: Sequence[Span], width: int) -> list[Span]:
    """The first `width` cells of some spans."""
    parts: list[Span] = []
    for span in spans:
        left = width - sum(cell_len(part.text) for part in parts)
        parts.append(span if cell_len(span.text) <= left else span._replace(text=set_cell_size(span.text, left)))
    return parts


def marked_column(spans: Sequence[Span], column: int | None, ascii: bool) -> list[Span]:
    """The same with the cell at `column` marked; where nothing is drawn in it, by a line."""
    if column is None:
        return list(spans)
    parts, begin = [], 0
    for span in spans:
        end = begin + len(span.text)
        if begin <= column < end:
            place = column - begin
            sign = span.text[place]
            before, after = span.text[:place], span.text[place + 1 :]
            parts += [span._replace(text=before)] if before else []
            parts.append(span._replace(text=("|" if ascii else "│") if sign == " " else sign, under_cursor=True))
            parts += [span._replace(text=after)] if after else []
        else:
            parts.append(span)
        begin = end
    return parts


def written_over(spans: Sequence[Span], column: int, text: str, role: str) -> list[Span]:
    """The same with `text` written over the cells from `column` on, where no curve is drawn; a letter everywhere."""
    begin, parts = 0, []
    for span in spans:
        end = begin + len(span.text)
        may_cover = role == "legend" or span.role in ("axis", role, "raw")
        if end <= column or begin >= column + len(text) or not may_cover:
            parts.append(span)
        else:
            first, last = max(begin, column), min(end, column + len(text))
            parts += [span._replace(text=span.text[: first - begin]), Span(text[first - column : last - column], role)]
            parts.append(span._replace(text=span.text[last - begin :]))
        begin = end
    return [part for part in parts if part.text]
