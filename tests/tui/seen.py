"""What a person sees of an app. What Textual keeps private is touched only here."""

from typing import Any

from textual.app import App
from textual.pilot import Pilot


def screen_text(app: App[Any]) -> str:
    """The text on the screen."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


def notices(pilot: Pilot[Any]) -> list[str]:
    """The notices shown so far that have not gone, the oldest first."""
    return [notice.message for notice in pilot.app._notifications]


def has_exited(app: App[Any]) -> bool:
    """Whether the app has decided to end."""
    return app._exit
