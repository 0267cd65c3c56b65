"""The bottom line: what the keys do now, as many of them as fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget

_GAPS = (2, 1)  # cells between two keys, the roomy way first


@dataclass(frozen=True)
class Key:
    """A key that does something now, as the line shows it."""

    key: str  # as Textual names it
    shown: str
    does: str  # a word or two
    help: str
    enabled: bool = True

    @property
    def content(self) -> Content:
        """The key and what it does, in the colours of the line."""
        key, does = ("bold $footer-key-foreground", "") if self.enabled else ("$foreground-disabled",) * 2
        return Content.assemble((self.shown, key), " ", (self.does, does))


def fitted(keys: Sequence[Key], pinned: Sequence[Key], width: int) -> list[tuple[int, Key]]:
    """Which keys stand at which cell of a line of `width` cells.

    Those of `pinned` stand at the right end and take their room first. Of the others, the first ones stay; none is cut.
    They move closer together before one is left out.
    """
    lengths = {key: key.content.cell_length for key in (*keys, *pinned)}
    placed: list[tuple[int, Key]] = []
    end = width
    for key in reversed(pinned):
        if lengths[key] <= end:
            end -= lengths[key]
            placed.append((end, key))
            end -= _GAPS[0]
    gap = next((gap for gap in _GAPS if sum(lengths[key] + gap for key in keys) - gap <= end), _GAPS[-1])
    start = 0
    for key in keys:
        if start + lengths[key] > end:
            break
        placed.append((start, key))
        start += lengths[key] + gap
    return sorted(placed, key=lambda place: place[0])


class FooterLine(Widget, can_focus=False):
    """The keys that work on this screen now; a click on one presses it.

    Textual's Footer makes a widget of each key anew whenever one of them changes, which is a third of the time that a
    screen takes to appear, and cuts the last one off where they do not fit. This is one widget of one line.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    FooterLine {
        dock: bottom;
        height: 1;
        padding: 0 1;
        color: $footer-description-foreground;
        background: $footer-background;
        text-wrap: nowrap;
    }
    """

    def __init__(self, *, pinned: str = "help") -> None:
        """`pinned` is the id of the binding that always stands at the right end."""
        super().__init__()
        self._pinned_id = pinned
        self._keys: list[Key] = []
        self._pinned: list[Key] = []
        self._pointed_at: Key | None = None

    def on_mount(self) -> None:
        """Follow the screen's bindings from now on."""
        self.screen.bindings_updated_signal.subscribe(self, self._bindings_changed)

    def _bindings_changed(self, screen: Screen[object]) -> None:
        if screen.app.app_focus:  # in the background the focused widget is gone for a while, and its keys with it
            self.call_after_refresh(self._show_bindings)

    def _show_bindings(self) -> None:
        if not self.is_attached:  # the screen has been left meanwhile
            return
        keys: dict[str, Key] = {}  # by action: one of several keys for it is enough
        pinned: list[Key] = []
        active_bindings = self.screen.active_bindings
        for active in active_bindings.values():
            binding = active.binding
            if not binding.show or binding.action in keys:
                continue
            key = Key(
                binding.key,
                self.app.get_key_display(binding),
                binding.description,
                active.tooltip or binding.description,
                active.enabled,
            )
            if binding.id == self._pinned_id:
                pinned.append(key)
            else:
                keys[binding.action] = key
        if ([*keys.values()], pinned) != (self._keys, self._pinned):
            self._keys, self._pinned = [*keys.values()], pinned
            self.refresh()

    @property
    def _places(self) -> list[tuple[int, Key]]:
        return fitted(self._keys, self._pinned, self.size.width)

    def render(self) -> Content:
        line = Content()
        for start, key in self._places:
            content = key.content
            if key == self._pointed_at:
                content = content.stylize("$footer-key-foreground on $block-hover-background")
            line = Content.assemble(line, " " * (start - line.cell_length), content)
        return line

    def _key_at(self, event: events.MouseEvent) -> Key | None:
        where = event.get_content_offset(self)
        if where is None:
            return None
        for start, key in self._places:
            if start <= where.x < start + key.content.cell_length:
                return key
        return None

    def on_click(self, event: events.Click) -> None:
        """Press the key that was clicked."""
        key = self._key_at(event)
        if key is not None and key.enabled:
            self.app.simulate_key(key.key)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Say what the key under the mouse does."""
        self._point_at(self._key_at(event))

    def on_leave(self) -> None:
        """Leave no key marked behind the mouse."""
        self._point_at(None)

    def _point_at(self, key: Key | None) -> None:
        if key != self._pointed_at:
            self._pointed_at = key
            self.tooltip = None if key is None else key.help
            self.refresh()
