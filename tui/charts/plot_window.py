"""Which part of the axis is in view, and where the cursor stands on it: zooming, panning and going back."""

from __future__ import annotations

from dataclasses import dataclass, field

FINEST = 1 / 4096  # of the whole axis; more readings than that are not told apart
_PAN = 1 / 4  # of what is in view


@dataclass
class PlotWindow:
    """Places are those of the axis; the whole runs from 0 to `whole`, which grows.

    `end` None is the newest place, so that a view at the end follows a run that trains.
    """

    whole: float = 0.0
    start: float = 0.0
    end: float | None = None
    cursor: float | None = None
    _before: list[tuple[float, float | None]] = field(default_factory=list)

    @property
    def shown_end(self) -> float:
        """The end of what is in view."""
        return self.whole if self.end is None else self.end

    @property
    def is_whole(self) -> bool:
        """Whether all is in view."""
        return self.start <= 0.0 and self.end is None

    def zoom(self, factor: float) -> None:
        """Show `factor` times as much; the cursor keeps its place in view, without one the end or the middle does."""
        span = self.shown_end - self.start
        wanted = min(max(span * factor, self.whole * FINEST), self.whole)
        fixed = self.cursor
        if fixed is None or not self.start <= fixed <= self.shown_end:
            fixed = self.whole if self.end is None else (self.start + self.end) / 2
        share = (fixed - self.start) / span if span else 1.0
        self._go(fixed - share * wanted, wanted)

    def pan(self, direction: int) -> None:
        """Move what is in view by a quarter of it, to the left (-1) or to the right (1)."""
        span = self.shown_end - self.start
        self._go(self.start + direction * _PAN * span, span)

    def back(self) -> None:
        """Show what was in view before."""
        if self._before:
            self.start, self.end = self._before.pop()

    def show_whole(self) -> None:
        """Show all of it."""
        self._go(0.0, self.whole)

    def restart(self) -> None:
        """Another axis: all in view, no cursor, and nothing to go back to."""
        self.start, self.end, self.cursor = 0.0, None, None
        self._before.clear()

    def move_cursor(self, by: float) -> None:
        """Move the cursor, which first stands at the end; at the sides of what is in view, that follows."""
        self.set_cursor(self.shown_end if self.cursor is None else self.cursor + by)

    def set_cursor(self, place: float) -> None:
        """Put the cursor at a place, and that into view."""
        self.cursor = min(max(place, 0.0), self.whole)
        span = self.shown_end - self.start
        if self.cursor < self.start:
            self._place(self.cursor, span)
        elif self.cursor > self.shown_end:
            self._place(self.cursor - span, span)

    def _go(self, start: float, span: float) -> None:
        before = (self.start, self.end)
        self._place(start, span)
        if (self.start, self.end) != before:
            self._before.append(before)

    def _place(self, start: float, span: float) -> None:
        """Show `span` from `start` on, moved to where there is something; what touches the end follows it."""
        start = max(0.0, min(start, self.whole - span))
        self.start = start
        self.end = None if start + span >= self.whole * (1 - 1e-9) else start + span
