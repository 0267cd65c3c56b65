"""A box with the checkpoints of a run, to choose one."""

from __future__ import annotations

from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList

from ..run_checkpoints import Checkpoint
from .box import Box


class CheckpointsBox(Box[Path | None]):
    """Dismissed with the folder of the chosen checkpoint, or None."""

    BINDINGS = [Binding("escape", "cancel", "Cancel")]
    CSS_PATH = "../styles/checkpoints.tcss"
    AUTO_FOCUS = "OptionList"

    def __init__(self, checkpoints: list[Checkpoint], title: str = "write it again with the same seed on") -> None:
        super().__init__()
        self._checkpoints, self._title = checkpoints, title

    def compose(self) -> ComposeResult:
        with Vertical(id="checkpoints") as box:
            box.border_title = Content(self._title)
            box.border_subtitle = "Enter chooses · Esc cancels"
            yield OptionList(*(Content(checkpoint.words) for checkpoint in self._checkpoints), markup=False)

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(self._checkpoints[event.option_index].folder)

    def action_cancel(self) -> None:
        self.dismiss(None)
