"""One line on which a place among several is chosen, by keys of whoever holds it or with the mouse."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from .facts import DIM

_ARROW = 2  # cells of an arrow and its gap


class StepSlider(Widget):
    """◂ ━━━━━╸──── ▸: a click on an arrow goes one place on, a click or a drag on the line to that place."""

    DEFAULT_CSS = "StepSlider { height: 1; }"

    @dataclass
    class Moved(Message):
        """The person wants to see this place."""

        slider: StepSlider
        at: int

        @property
        def control(self) -> StepSlider:
            return self.slider

    def __init__(self) -> None:
        super().__init__()
        self._at, self._count = 0, 0
        self._dragged = False

    def show(self, at: int, count: int) -> None:
        """Stand at place `at` of `count`."""
        if (at, count) != (self._at, self._count):
            self._at, self._count = at, count
            self.refresh()

    def render(self) -> Content:
        """Both arrows, dim where there is nothing that way, and the line between them."""
        bar, last = max(1, self.size.width - 2 * _ARROW), max(0, self._count - 1)
        knob = round((bar - 1) * self._at / last) if last else bar - 1
        return Content.assemble(
            ("◂ ", "" if self._at else DIM),
            ("━" * knob, "$primary"), ("╸" if self._at < last else "━", "$primary bold"),
            ("─" * (bar - 1 - knob), "$foreground 20%"),
            (" ▸", "" if self._at < last else DIM),
        )  # fmt: skip

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Go where the mouse is, and follow it until its button is let go."""
        event.stop()
        if event.x < _ARROW - 1 or event.x > self.size.width - _ARROW:
            self._move(self._at + (-1 if event.x < _ARROW else 1))
            return
        self._dragged = True
        self.capture_mouse()
        self._move(self._place(event.x))

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._dragged:
            event.stop()
            self._move(self._place(event.x))

    def on_mouse_up(self, event: events.MouseUp) -> None:
        if self._dragged:
            event.stop()
            self._dragged = False
            self.release_mouse()

    def _place(self, x: int) -> int:
        bar = max(2, self.size.width - 2 * _ARROW)
        return round((self._count - 1) * (x - _ARROW) / (bar - 1))

    def _move(self, at: int) -> None:
        at = max(0, min(self._count - 1, at))
        if self._count and at != self._at:
            self.post_message(self.Moved(self, at))
