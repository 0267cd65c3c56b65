"""A view of rows that grow at their end: it follows them, unless somebody reads or has selected something.

What changes the rows is queued. While something is queued it is flushed, thirty times a second at most; each flush
works for a few milliseconds and repaints the rows that changed. With nothing queued there is no timer. The view follows
the end only while the last row is in view and nothing is selected; otherwise a badge counts the rows not seen yet.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from time import perf_counter
from typing import Any

from rich.segment import Segment
from rich.style import Style
from textual.events import Resize
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget

FLUSHES_PER_SECOND = 36
"""At most; timers come late and what is painted waits for the next sixtieth of a second, so that is thirty frames."""

FLUSH_SECONDS = 0.008
SLICE = 4096
"""Characters laid out between two looks at the clock."""

NARROWEST = 4
"""Cells the text gets however small the pane."""


class FollowingScroll(ScrollView):
    """The scrolling of such a view. A subclass has the rows, the queue, and the painting of a row."""

    DEFAULT_CSS = """
    FollowingScroll {
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-gutter: stable;
        scrollbar-size-vertical: 1;
        scrollbar-background: $background;
        scrollbar-background-hover: $background;
        scrollbar-background-active: $background;
    }
    """

    END_KEY = "End"
    """The key that goes to the end, as the badge names it."""

    class Below(Message):
        """How many rows were added below the view and not seen yet; 0 once the last one has been."""

        def __init__(self, lines: int) -> None:
            super().__init__()
            self.lines = lines

        def can_replace(self, message: Message) -> bool:
            """Only the newest count matters."""
            return isinstance(message, FollowingScroll.Below)

    def __init__(
        self,
        *,
        clock: Callable[[], float] = perf_counter,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._clock = clock
        self._timer: Timer | None = None
        """For the next flush, while anything is queued."""
        self._flushed = 0.0
        """When the last flush began."""
        self._following = True
        self._reading: Any = None
        """Position of the row at the top of the view, for when the width changes; None is the first."""
        self._seen = 0
        """How many rows have been in view or above it."""
        self._below = 0

    # --- what a subclass has --------------------------------------------------------------------

    @property
    @abstractmethod
    def row_count(self) -> int:
        """How many rows there are."""

    @property
    @abstractmethod
    def margin(self) -> int:
        """Cells left of the text."""

    @property
    @abstractmethod
    def wrapped_width(self) -> int:
        """The width at which the text is wrapped."""

    @abstractmethod
    def rewrap(self, width: int) -> None:
        """Wrap the text again at this width."""

    @abstractmethod
    def position_of(self, row: int) -> Any:
        """What finds this row, or the row that took its place, at another width."""

    @abstractmethod
    def row_at(self, position: Any) -> int:
        """The row with what stood at a position."""

    @property
    @abstractmethod
    def has_selection(self) -> bool:
        """Whether something is selected, which must not move."""

    @property
    @abstractmethod
    def is_queued(self) -> bool:
        """Whether something waits to be laid out."""

    @abstractmethod
    def lay_out(self, seconds: float) -> int:
        """Lay out what is queued, as far as `seconds` reach; return the first row that changed."""

    @abstractmethod
    def component_style(self, name: str) -> Style:
        """The style of a part of the view."""

    # --- the queue ------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Lay out what was queued before the widget was mounted."""
        self.run_while_queued()

    def run_while_queued(self) -> None:
        """See to it that what is queued is laid out soon.

        Each flush sets the timer for the next one: a timer of fixed intervals passes over each one that is late.
        """
        if self.is_queued and self._timer is None and self.is_attached:
            due = self._flushed + 1 / FLUSHES_PER_SECOND
            self._timer = self.set_timer(max(0.001, due - perf_counter()), self.flush)

    @property
    def is_settled(self) -> bool:
        """Whether all text is laid out, so that nothing changes until more comes."""
        return self._timer is None and not self.is_queued

    def flush(self) -> None:
        """Lay out what is queued, for no longer than FLUSH_SECONDS."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        self._flushed = perf_counter()
        if self.is_queued:
            self.lay_out_queue(FLUSH_SECONDS)
        self.run_while_queued()

    def lay_out_queue(self, seconds: float = float("inf")) -> None:
        """Lay out what is queued, as far as `seconds` reach, and show it."""
        first_changed = self.lay_out(seconds)
        if self.is_attached:
            self.show_rows(first_changed, self.row_count)

    # --- the view -------------------------------------------------------------------------------

    def show_rows(self, first: int, end: int) -> None:
        """Paint the rows from `first` up to `end` again, and follow the end of all rows where that is wanted.

        Where the last of them changed, the view below it is painted as well: there may have been more rows.
        """
        self._set_row_count()
        follows = self._following and not self.has_selection and not self.is_vertical_scrollbar_grabbed
        if follows or self.scroll_offset.y > self.max_scroll_y:
            self.scroll_to_row(self.max_scroll_y)
        count = end - first if end < self.row_count else max(end - first, self.size.height)
        if first < self.scroll_offset.y + self.size.height:
            self.refresh_lines(first, count)
        self._count_below()

    def _set_row_count(self) -> None:
        count = self.row_count
        size = Size(self.margin + self.wrapped_width, count)
        if self.show_vertical_scrollbar and count > self.container_size.height:
            # Assigned, it would lay out the screen and paint all of the view again for each row that is added.
            self.set_reactive(Widget.virtual_size, size)  # pyright: ignore[reportArgumentType]
            self.vertical_scrollbar.window_virtual_size = count
        else:
            self.virtual_size = size

    def scroll_to_row(self, row: int) -> None:
        """Show this row at the top, or as far up as the last rows let it come."""
        self.scroll_to(y=row, animate=False, force=True)

    def follow(self) -> None:
        """Go to the bottom, and stay there while text arrives."""
        self._following = True
        self.scroll_to_row(self.max_scroll_y)

    def rows_added(self, row: int, count: int) -> None:
        """So many rows were put in at `row`, or taken out where negative, which are nothing new: what is read stays."""
        if row < self._seen:
            self._seen += count
        if count and row < self.scroll_offset.y and self.is_attached:
            self._set_row_count()
            self.scroll_to_row(self.scroll_offset.y + count)

    def begin_anew(self) -> None:
        """Follow, with nothing seen yet: the rows are those of another text."""
        self._seen = 0
        self._following = True
        self.lay_out_again()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Follow exactly while the last row is in view."""
        super().watch_scroll_y(old_value, new_value)
        top = self.scroll_offset.y
        self._following = top >= self.max_scroll_y
        self._reading = self.position_of(top) if top < self.row_count else None
        self._count_below()

    def _count_below(self) -> None:
        # The size of the container is also that of a pane that is hidden at the moment.
        bottom, count = self.scroll_offset.y + self.container_size.height, self.row_count
        self._seen = min(count, max(self._seen, bottom))
        if (below := count - self._seen) != self._below:
            self._below = below
            self.post_message(self.Below(below))
            self.refresh_lines(bottom - 1)

    def on_resize(self, _: Resize) -> None:
        """Wrap at the new width and show the same text as before."""
        self.fit_to_size()

    def fit_to_size(self) -> None:
        """Wrap at the present width, where it is another."""
        if not self.size:
            return
        if self.fitting_width != self.wrapped_width:
            self.lay_out_again()
        elif self._following:
            self.scroll_to_row(self.max_scroll_y)
        self._count_below()

    @property
    def fitting_width(self) -> int:
        """The cells that a row may have: one is left for the blank that hangs over the edge, and for the cursor."""
        return max(NARROWEST, self.scrollable_content_region.width - self.margin - 1)

    def lay_out_again(self) -> None:
        """Wrap everything at the present width, and show the same text as before."""
        reading, following = self._reading, self._following
        last_seen = self.position_of(self._seen - 1) if 0 < self._seen <= self.row_count else None
        self.rewrap(self.fitting_width)
        self._seen = 0 if last_seen is None else self.row_at(last_seen) + 1
        self._set_row_count()
        self.scroll_to_row(self.max_scroll_y if following else 0 if reading is None else self.row_at(reading))
        # The position itself, not the row it fell into: a series of widths must not wander away from it.
        self._reading, self._following = reading, following
        self._count_below()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Paint one line of the view, with the badge over the last one."""
        width, height = self.scrollable_content_region.size
        if y == 0 and self.fitting_width != self.wrapped_width:  # now and then a size changes and no Resize comes
            self.call_later(self.fit_to_size)
        strip = self.paint_line(y, width)
        if self._below and y == height - 1:
            badge = _badge(self._below, self.END_KEY, self.component_style("below"))
            strip = Strip.join([strip.crop(0, width - badge.cell_length), badge])
        return strip

    @abstractmethod
    def paint_line(self, y: int, width: int) -> Strip:
        """One line of the view as a strip of `width` cells."""

    # --- scrolling by key: at once, as an animation would race the text that streams in ----------

    def action_scroll_up(self) -> None:
        self.scroll_up(animate=False)

    def action_scroll_down(self) -> None:
        self.scroll_down(animate=False)

    def action_page_up(self) -> None:
        self.scroll_page_up(animate=False)

    def action_page_down(self) -> None:
        self.scroll_page_down(animate=False)

    def action_scroll_home(self) -> None:
        self.scroll_to_row(0)

    def action_scroll_end(self) -> None:
        """To the last row, and follow."""
        self.follow()


def _badge(lines: int, key: str, style: Style) -> Strip:
    """What is drawn over the corner of the view when rows were added below it; a click goes there."""
    label = f" ↓ {lines} new line{'s' if lines > 1 else ''} ({key}) "
    return Strip([Segment(label, style + Style.from_meta({"@click": "scroll_end"}))])
