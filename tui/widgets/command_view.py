"""The command line that makes the same run as the form, to read and to copy."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from .. import keys


class CommandView(Vertical):
    """Nothing is seen of it where there is no command."""

    DEFAULT_CSS = """
    CommandView {
        height: auto;
        & > Static { height: auto; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self.line = ""

    def compose(self) -> ComposeResult:
        title = keys.labelled("the same on the command line", "new-run.copy")
        yield Static(title, classes="heading", markup=False)
        yield Static(id="command", markup=False)

    def show(self, line: str) -> None:
        """Show this command."""
        self.line = line
        self.display = bool(line)
        self.query_one("#command", Static).update(line)
