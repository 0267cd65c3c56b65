"""The transcript: streams text without moving what the person reads or has selected.

`append` only queues. While something is queued a timer runs thirty times a second; each flush lays out what fits into a
few milliseconds and repaints the rows that changed. With nothing queued there is no timer. The pane follows the text
only while its last row is in view and nothing is selected; otherwise a badge counts the rows not seen yet.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import NamedTuple

from rich.style import Style
from textual.binding import Binding
from textual.cache import LRUCache
from textual.events import Resize
from textual.geometry import Offset, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip
from textual.style import Style as VisualStyle
from textual.timer import Timer
from textual.widget import Widget

from ..text.transcript_text import Location, Role, TranscriptText
from .transcript_painting import GUTTER, paint_badge, paint_row, paint_welcome

FLUSHES_PER_SECOND = 30
FLUSH_SECONDS = 0.008
SLICE = 4096
"""Characters laid out between two looks at the clock."""

NARROWEST = 4
"""Cells the text gets however small the pane."""


class _Begin(NamedTuple):
    role: Role
    heading: str
    further: bool


class _End(NamedTuple):
    status: str


class Transcript(ScrollView, can_focus=True):
    """A conversation of turns. Text is shown as it is: never markup, control characters as symbols."""

    ALLOW_SELECT = True

    DEFAULT_CSS = """
    Transcript {
        color: $foreground;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-gutter: stable;
        scrollbar-size-vertical: 1;
        scrollbar-background: $background;
        scrollbar-background-hover: $background;
        scrollbar-background-active: $background;

        & > .transcript--label-you { color: $text-muted; text-style: bold; }
        & > .transcript--label-model { color: $text-primary; text-style: bold; }
        & > .transcript--label-note { color: $text-muted; }
        & > .transcript--you { color: $text-muted; }
        & > .transcript--model { color: $foreground; }
        & > .transcript--note { color: $text-muted; text-style: italic; }
        & > .transcript--status { color: $foreground 50%; }
        & > .transcript--cursor { color: $text-primary; }
        & > .transcript--below { color: $text-primary; background: $primary-muted; text-style: bold; }
        & > .transcript--welcome { color: $text-muted; }
        & > .transcript--welcome-title { color: $text-primary; text-style: bold; }
        & > .transcript--welcome-key { color: $foreground; text-style: bold; }
    }
    """

    COMPONENT_CLASSES = {
        "transcript--label-you",
        "transcript--label-model",
        "transcript--label-note",
        "transcript--you",
        "transcript--model",
        "transcript--note",
        "transcript--status",
        "transcript--cursor",
        "transcript--below",
        "transcript--welcome",
        "transcript--welcome-title",
        "transcript--welcome-key",
    }

    BINDINGS = [
        Binding("k", "scroll_up", "Up", show=False),
        Binding("j", "scroll_down", "Down", show=False),
        Binding("g", "scroll_home", "Top", show=False),
        Binding("G", "scroll_end", "Bottom", show=False),
        Binding("y", "copy", "Copy reply", tooltip="Copy the selection, or the last reply where nothing is selected"),
    ]

    class Below(Message):
        """How many rows were added below the view and not seen yet; 0 once the last one has been."""

        def __init__(self, lines: int) -> None:
            super().__init__()
            self.lines = lines

        def can_replace(self, message: Message) -> bool:
            """Only the newest count matters."""
            return isinstance(message, Transcript.Below)

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
        self.turns = TranscriptText(width=80)
        self._queue: deque[str | _Begin | _End] = deque()
        self._timer: Timer | None = None
        self._following = True
        self._reading = (0, 0, 0)
        """Position of the row at the top of the view, for when the width changes."""
        self._seen = 0
        """How many rows have been in view or above it."""
        self._below = 0
        self._strips: LRUCache[int, Strip] = LRUCache(1024)
        self._welcome: list[str] = []

    # Turns

    def begin_turn(self, role: Role, text: str = "", *, heading: str = "", further: bool = False) -> None:
        """Open a turn of `you`, of the `model`, or a `note` of the app; it closes the turn before it.

        A `heading` is a dim line above the text. A `further` turn of the model answers the same prompt as that above.
        """
        self._enqueue(_Begin(role, heading, further))
        self.append(text)

    def append(self, text: str) -> None:
        """Add text to the open turn; what comes after its end, as from a reply just stopped, is dropped."""
        text = _without_surrogates(text)
        for start in range(0, len(text), SLICE):
            self._enqueue(text[start : start + SLICE])

    def end_turn(self, status: str = "") -> None:
        """Close the open turn, with `status` as a dim line below it."""
        self._enqueue(_End(_without_surrogates(status)))

    def clear(self) -> None:
        self._queue.clear()
        self.turns.clear()
        self._seen = 0
        self._following = True
        self._lay_out_again()

    def follow(self) -> None:
        """Go to the bottom, and stay there while text arrives."""
        self._following = True
        self._scroll_to_row(self.max_scroll_y)

    def plain_text(self) -> str:
        """All turns as they were generated, an empty line between them, without labels and status lines."""
        self._lay_out_queue()
        return self.turns.plain_text()

    def copy_replies(self) -> list[str]:
        """Copy the replies to the last prompt, an empty line between them, and return them without the empty ones."""
        self._lay_out_queue()
        replies = self.turns.last_replies()
        if replies:
            self.app.copy_to_clipboard("\n\n".join(replies))
        return replies

    def set_welcome(self, lines: list[str] | None) -> None:
        """Show `lines`, the first as a heading, for as long as there is no conversation.

        A line with a gap of two or more blanks is a key and what it does: the key stands out, the rest is a column.
        """
        self._welcome = lines or []
        self.refresh()

    # The queue

    def on_mount(self) -> None:
        """Lay out what was queued before the widget was mounted."""
        self._run_while_queued()

    def _enqueue(self, edit: str | _Begin | _End) -> None:
        self._queue.append(edit)
        self._run_while_queued()

    def _run_while_queued(self) -> None:
        if self._queue and self._timer is None and self.is_attached:
            self._timer = self.set_interval(1 / FLUSHES_PER_SECOND, self.flush)

    @property
    def is_settled(self) -> bool:
        """Whether all text is laid out, so that nothing changes until more comes."""
        return self._timer is None and not self._queue

    def flush(self) -> None:
        """Lay out what is queued, for no longer than FLUSH_SECONDS; called by a timer while anything is queued."""
        if self._queue:
            self._lay_out_queue(FLUSH_SECONDS)
        elif self._timer is not None:
            self._timer.stop()
            self._timer = None

    def _lay_out_queue(self, seconds: float = float("inf")) -> None:
        """Lay out what is queued, as far as `seconds` reach, and show it."""
        turns, deadline = self.turns, self._clock() + seconds
        first_changed = max(0, len(turns.rows) - 1)
        while self._queue:
            match self._queue.popleft():
                case _Begin(role, heading, further):
                    turns.begin_turn(role, heading, further=further)
                case _End(status):
                    turns.end_turn(status)
                case text:
                    turns.append(self._with_following_text(text))
            if self._clock() >= deadline:
                break
        if self.is_attached:
            self._show_rows_from(first_changed)

    def _with_following_text(self, text: str) -> str:
        """`text` and what was appended next, up to a slice: laying out a hundred tokens costs as much as one."""
        parts, size = [text], len(text)
        while self._queue and isinstance(piece := self._queue[0], str) and size < SLICE:
            parts.append(piece)
            size += len(piece)
            self._queue.popleft()
        return "".join(parts)

    # The view

    def _show_rows_from(self, first_changed: int) -> None:
        self._set_row_count()
        if self._following and self.text_selection is None and not self.is_vertical_scrollbar_grabbed:
            self._scroll_to_row(self.max_scroll_y)
        count = len(self.turns.rows)
        if first_changed < self.scroll_offset.y + self.size.height:
            self.refresh_lines(first_changed, count - first_changed)
        self._count_below()

    def _set_row_count(self) -> None:
        count = len(self.turns.rows)
        size = Size(GUTTER + self.turns.width, count)
        if self.show_vertical_scrollbar and count > self.container_size.height:
            # Assigned, it would lay out the screen and paint all of the view again for each row that is added.
            self.set_reactive(Widget.virtual_size, size)  # pyright: ignore[reportArgumentType]
            self.vertical_scrollbar.window_virtual_size = count
        else:
            self.virtual_size = size

    def _scroll_to_row(self, row: int) -> None:
        self.scroll_to(y=row, animate=False, force=True)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Follow exactly while the last row is in view."""
        super().watch_scroll_y(old_value, new_value)
        top, rows = self.scroll_offset.y, self.turns.rows
        self._following = top >= self.max_scroll_y
        self._reading = rows[top].position if top < len(rows) else (0, 0, 0)
        self._count_below()

    def _count_below(self) -> None:
        # The size of the container is also that of a pane that is hidden at the moment.
        bottom, count = self.scroll_offset.y + self.container_size.height, len(self.turns.rows)
        self._seen = min(count, max(self._seen, bottom))
        if (below := count - self._seen) != self._below:
            self._below = below
            self.post_message(self.Below(below))
            self.refresh_lines(bottom - 1)

    def on_resize(self, _: Resize) -> None:
        """Wrap at the new width and show the same text as before."""
        self._fit_to_size()

    def _fit_to_size(self) -> None:
        if not self.size:
            return
        if self._wrap_width() != self.turns.width:
            self._lay_out_again()
        elif self._following:
            self._scroll_to_row(self.max_scroll_y)
        self._count_below()

    def _wrap_width(self) -> int:
        # One cell is left for the blank that hangs over the edge, and for the cursor.
        return max(NARROWEST, self.scrollable_content_region.width - GUTTER - 1)

    def _lay_out_again(self) -> None:
        turns, reading, following = self.turns, self._reading, self._following
        last_seen = turns.rows[self._seen - 1].position if self._seen else None
        turns.rewrap(self._wrap_width())
        self._seen = 0 if last_seen is None else turns.find(last_seen) + 1
        self._strips.clear()
        self._set_row_count()
        self._scroll_to_row(self.max_scroll_y if following else turns.find(reading))
        # The position itself, not the row it fell into: a series of widths must not wander away from it.
        self._reading, self._following = reading, following
        self._count_below()
        self.refresh()

    # Painting

    def notify_style_update(self) -> None:
        """Paint all rows again after a change of theme."""
        super().notify_style_update()
        self._strips.clear()

    def render_line(self, y: int) -> Strip:
        """Paint one line of the view."""
        width, height = self.scrollable_content_region.size
        if self._wrap_width() != self.turns.width:  # now and then a size changes and no Resize comes
            self.call_later(self._fit_to_size)
        if not self.turns.rows:
            welcome = paint_welcome(self._welcome, width, height, self._style)
            return welcome[y] if y < len(welcome) else Strip.blank(width, self._style("welcome"))
        strip = self._row(self.scroll_offset.y + y, width)
        if self._below and y == height - 1:
            badge = paint_badge(self._below, self._style)
            strip = Strip.join([strip.crop(0, width - badge.cell_length), badge])
        return strip

    def _row(self, index: int, width: int) -> Strip:
        """Row `index`, from the cache where it can no longer change."""
        selection = self.text_selection
        if selection is not None or index >= len(self.turns.rows) - 1:
            selected = None if selection is None else self._locations(selection)
            return paint_row(self.turns, index, width, self._style, selected)
        strip = self._strips.get(index)
        if strip is None or strip.cell_length != width:
            strip = self._strips[index] = paint_row(self.turns, index, width, self._style, None)
        return strip

    def _style(self, name: str) -> Style:
        if name == "selection":
            selection = VisualStyle.from_styles(self.screen.get_component_styles("screen--selection"))
            return (self.get_visual_style("transcript--model") + selection).rich_style
        return self.get_component_rich_style(f"transcript--{name}")

    # Selecting and copying

    def _locations(self, selection: Selection) -> tuple[Location, Location]:
        def location(offset: Offset | None, otherwise: Location) -> Location:
            return otherwise if offset is None else (offset.y, offset.x)

        end = self.turns.end_of(len(self.turns.rows) - 1)
        return location(selection.start, (0, 0)), location(selection.end, end)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The selected text as it was generated: no breaks from wrapping, no labels, no status lines."""
        if not self.turns.rows:
            return None
        return self.turns.between(*self._locations(selection)), "\n"

    def action_copy(self) -> None:
        """Copy the selection, or the last reply (all its samples) where nothing is selected."""
        selected = self.screen.get_selected_text()
        if selected:
            self.app.copy_to_clipboard(selected)
        if selected or self.copy_replies():
            self.notify(f"Copied {len(self.app.clipboard):,} characters.", timeout=2, markup=False)

    # Scrolling by key happens at once: an animation would race the text that streams in.

    def action_scroll_up(self) -> None:
        self.scroll_up(animate=False)

    def action_scroll_down(self) -> None:
        self.scroll_down(animate=False)

    def action_page_up(self) -> None:
        self.scroll_page_up(animate=False)

    def action_page_down(self) -> None:
        self.scroll_page_down(animate=False)

    def action_scroll_home(self) -> None:
        self._scroll_to_row(0)

    def action_scroll_end(self) -> None:
        """To the last row, and follow."""
        self.follow()


def _without_surrogates(text: str) -> str:
    """`text` as something that can be encoded: half of a surrogate pair is no character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
