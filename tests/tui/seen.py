"""What a person sees of an app. What Textual keeps private is touched only here."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from rich.cells import cell_len
from rich.style import Style
from textual.app import App
from textual.pilot import Pilot


def screen_text(app: App[Any]) -> str:
    """The text on the screen."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


class Painted(NamedTuple):
    """A piece of a row of the screen, as it is sent to the terminal."""

    x: int
    y: int
    text: str
    style: Style


def painted(app: App[Any]) -> Iterator[Painted]:
    """All that is painted; of a screen that a box lies above, what the box leaves of it is not."""
    for y, strip in enumerate(app.screen._compositor.render_strips()):
        x = 0
        for segment in strip:
            lead = cell_len(segment.text) - cell_len(segment.text.lstrip())
            if lead < segment.cell_length and app.screen.get_widget_at(x + lead, y)[0] is not app.screen:
                yield Painted(x, y, segment.text, segment.style or Style())
            x += segment.cell_length


def notices(pilot: Pilot[Any]) -> list[str]:
    """The notices shown so far that have not gone, the oldest first."""
    return [notice.message for notice in pilot.app._notifications]


def has_exited(app: App[Any]) -> bool:
    """Whether the app has decided to end."""
    return app._exit
