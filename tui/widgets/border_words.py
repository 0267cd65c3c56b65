"""The words in the border of a widget, which are looked at several times a second.

Textual paints all of the widget anew whenever they are set, so they are set only where they change.
"""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget


def set_title(widget: Widget, words: str) -> None:
    """Write one line of plain words into the upper border."""
    if Content(words).markup != (widget.border_title or ""):
        widget.border_title = Content(words)


def set_subtitle(widget: Widget, words: str) -> None:
    """Write one line of plain words into the lower border."""
    if Content(words).markup != (widget.border_subtitle or ""):
        widget.border_subtitle = Content(words)
