"""A text with marked parts, one of which is the current one: it is kept in view."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from rich.segment import Segment
from textual import events
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from ...data.storage.printable import visible_lines
from ..text.wrapping import snap, wrap

Range = tuple[int, int]
"""From the first character up to the second."""


class MarkedText(ScrollView, can_focus=False):
    """Text as it is, wrapped: never markup, control characters as symbols."""

    COMPONENT_CLASSES = {"marked-text--text", "marked-text--marked", "marked-text--current"}
    DEFAULT_CSS = """
    MarkedText {
        scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 0;
        scrollbar-gutter: stable;
        overflow-x: hidden;
        overflow-y: auto;

        & > .marked-text--text { color: $foreground; }
        & > .marked-text--marked { color: $foreground; background: $accent 35%; }
        & > .marked-text--current { color: $background; background: $accent; }
    }

    MarkedText:nocolor {
        & > .marked-text--marked { text-style: underline; }
        & > .marked-text--current { text-style: underline reverse; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._text, self._current = "", (0, 0)
        self._marked: Sequence[Range] = ()
        self._rows: list[tuple[int, str]] = []  # where in the text each begins, and what it shows

    def show(self, text: str, current: Range, marked: Sequence[Range] = ()) -> None:
        """Show `text`; `marked` parts stand in its order and do not overlap, `current` may lie anywhere."""
        # a tab has a width of its own in each terminal, and here a character must be a cell or two
        self._text, self._current, self._marked = visible_lines(text).replace("\t", " "), current, marked
        self._lay_out()

    @property
    def current(self) -> str:
        """The current part as it is shown."""
        return self._text[slice(*self._current)]

    def on_resize(self, _: events.Resize) -> None:
        """Wrap at the new width."""
        self._lay_out()

    def notify_style_update(self) -> None:
        """Paint all rows again after a change of theme."""
        super().notify_style_update()
        self.refresh()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """The number of rows that the text takes at `width`."""
        return len(self._wrapped(width - self.styles.scrollbar_size_vertical))

    def _wrapped(self, width: int) -> list[tuple[int, str]]:
        rows, start = list[tuple[int, str]](), 0
        for line in self._text.split("\n"):
            for row in wrap(line, max(1, width - 1)):  # a blank may hang over the edge
                rows.append((start, row))
                start += len(row)
            start += 1
        return rows

    def _lay_out(self) -> None:
        width = self.scrollable_content_region.width
        if not width:
            return
        self._rows = self._wrapped(width)
        self.virtual_size = Size(width, len(self._rows))
        first, last = (self._row_of(at) for at in (self._current[0], max(self._current[0], self._current[1] - 1)))
        room = max(0, self.size.height - (last - first + 1))  # the passage in the middle, or its beginning at the top
        self.scroll_to(y=max(0, first - room // 2), animate=False, force=True)
        self.refresh(layout=self.styles.auto_dimensions)

    def _row_of(self, offset: int) -> int:
        return max(0, bisect_right(self._rows, offset, key=lambda row: row[0]) - 1)

    def render_line(self, y: int) -> Strip:
        """One row, cut where a mark begins or ends."""
        width, index = self.scrollable_content_region.width, self.scroll_offset.y + y
        base = self.get_component_rich_style("marked-text--text")
        if index >= len(self._rows):
            return Strip.blank(width, base)
        start, row = self._rows[index]
        near = [mark for mark in self._marked if mark[0] < start + len(row) and start < mark[1]]
        places = (at - start for mark in (*near, self._current) for at in mark)
        cuts = sorted({0, len(row), *(snap(row, at) for at in places if 0 < at < len(row))})
        segments = [
            Segment(row[begin:end], self.get_component_rich_style(f"marked-text--{self._name_of(start + begin, near)}"))
            for begin, end in pairwise(cuts)
        ]
        return Strip(segments).adjust_cell_length(width, base)

    def _name_of(self, offset: int, near: Sequence[Range]) -> str:
        if self._current[0] <= offset < self._current[1]:
            return "current"
        return "marked" if any(start <= offset < end for start, end in near) else "text"
