"""A box that lists losses which others have published, to draw some of them as lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import SelectionList, Static
from textual.widgets.selection_list import Selection

from ..charts.reference_lines import REFERENCE_LINES, ReferenceLine


class ReferenceBox(ModalScreen[tuple[ReferenceLine, ...]]):
    """Dismissed with those that are chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter", "close", "Close", priority=True)]

    def __init__(self, chosen: Sequence[ReferenceLine]) -> None:
        super().__init__()
        self._chosen = chosen

    def compose(self) -> ComposeResult:
        lines = [
            Selection(Content(f"{line.loss:.4g}  {line.name}: {line.holds_for}"), line, line in self._chosen)
            for line in REFERENCE_LINES
        ]
        with Vertical(id="question") as box:
            box.border_title = "known losses"
            yield SelectionList[ReferenceLine](*lines)
            yield Static(
                "Nats per token. Compare only where text and tokens are the same. Space draws a line or no more.",
                markup=False,
            )

    def action_close(self) -> None:
        """Draw the chosen lines."""
        self.dismiss(tuple(self.query_one(SelectionList).selected))
