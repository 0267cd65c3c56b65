"""A box with the runs in the trash, to bring one back."""

from __future__ import annotations

import time

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList

from ...engine.run_trash import TrashedRun
from ..text import formatting
from .box import Box


class TrashBox(Box[TrashedRun | None]):
    """Dismissed with the chosen run, or None."""

    BINDINGS = [Binding("escape", "cancel", "Cancel")]
    AUTO_FOCUS = "OptionList"
    DEFAULT_CSS = """
    TrashBox {
        align: center middle;
        & #question { width: 70; max-width: 95%; max-height: 80%; }
        & OptionList { height: auto; max-height: 100%; border: none; background: transparent; padding: 0; }
        & OptionList:focus { border: none; background-tint: transparent; }
    }
    """

    def __init__(self, runs: list[TrashedRun]) -> None:
        super().__init__()
        self._runs = runs

    def compose(self) -> ComposeResult:
        with Vertical(id="question") as box:
            box.border_title = "trash"
            box.border_subtitle = "Enter brings it back · Esc cancels"
            yield OptionList(*map(_words, self._runs), markup=False)

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(self._runs[event.option_index])

    def action_cancel(self) -> None:
        self.dismiss(None)


def _words(run: TrashedRun) -> Content:
    ago = "" if run.since is None else f"{formatting.duration(max(0.0, time.time() - run.since))} ago"
    return Content.assemble(formatting.one_line(run.name), (f"   {ago}", "$foreground-muted"))
