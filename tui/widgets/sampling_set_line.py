"""The line of the sampling panel that names the set in use, and the field for the name of a new one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from ..sampling_sets import LONGEST_NAME
from .text_input import TextInput

_LABEL = "set".ljust(12)
_ARROWS = ("‹ ", " ›")


class SetLine(Widget, can_focus=True):
    """Left and right choose a set. The name is followed by a star where a value was changed since."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,down", "ask('next')", "next", id="set.next", tooltip="Take the values of the next set"),
        Binding("left,up", "ask('previous')", "before", id="set.previous", tooltip="Take those of the set before"),
        Binding("enter", "ask('back')", "again", id="set.back", tooltip="Take the values of this set again"),
        Binding("s", "ask('save')", "save", id="set.save", tooltip="Save these values as a set of your own"),
        Binding("d,delete", "ask('delete')", "delete", id="set.delete", tooltip="Delete this set of your own"),
    ]
    DEFAULT_CSS = """
    SetLine { height: 1; color: $text-muted; text-wrap: nowrap; text-overflow: ellipsis; }
    SetLine:focus { background: $foreground 14%; color: $text; }
    """

    Request = Literal["next", "previous", "back", "save", "delete"]

    @dataclass
    class Asked(Message):
        """A key or a click on the line."""

        request: SetLine.Request

    def __init__(self) -> None:
        super().__init__(id="sampling-set")
        self.tooltip = "left and right choose a set of values, s saves yours under a name; = in a field takes its value"
        self._name = ""
        self._changed = False

    def show(self, name: str, changed: bool) -> None:
        """Name the set in use, and whether its values are changed."""
        if (name, changed) != (self._name, self._changed):
            self._name, self._changed = name, changed
            self.refresh()

    def render(self) -> Content:
        name = self._name + " *" * self._changed
        return Content.assemble((_LABEL, "$text-muted"), _ARROWS[0], (name, "$text"), _ARROWS[1])

    def action_ask(self, request: Request) -> None:
        self.post_message(self.Asked(request))

    def on_click(self, event: events.Click) -> None:
        """A click on the left arrow goes to the set before, one elsewhere to the next."""
        where = event.get_content_offset(self)
        before = where is not None and where.x in range(len(_LABEL), len(_LABEL + _ARROWS[0]))
        self.action_ask("previous" if before else "next")


class SetName(TextInput):
    """The field for the name of a new set; Escape or leaving it gives up."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "give_up", "Give up", id="set.give-up", show=False)]

    class Left(Message):
        """There is no new name."""

    def __init__(self) -> None:
        super().__init__(compact=True, placeholder="name of the new set", max_length=LONGEST_NAME, id="set-name")

    def action_give_up(self) -> None:
        self.post_message(self.Left())

    def on_blur(self) -> None:
        self.post_message(self.Left())
