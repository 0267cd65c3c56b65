"""An app with nothing but one widget in it."""

from textual.app import App, ComposeResult
from textual.widget import Widget


class Host(App[None]):
    CSS = "Screen { layout: vertical; }"

    def __init__(self, widget: Widget) -> None:
        super().__init__()
        self.widget = widget

    def compose(self) -> ComposeResult:
        yield self.widget
