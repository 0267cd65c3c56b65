"""A box that lists losses which others have published, to draw some of them as lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static

from ..charts.reference_lines import REFERENCE_LINES, ReferenceLine
from .box import Box

_HINT = "Nats per token. Compare only where text and tokens are the same. Space draws a line or no more, Esc closes."


class ReferenceBox(Box[tuple[ReferenceLine, ...]]):
    """Dismissed with those that are chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "Close"), Binding("space", "choose", "Choose")]

    def __init__(self, chosen: Sequence[ReferenceLine]) -> None:
        super().__init__()
        self._chosen = set(chosen)

    def compose(self) -> ComposeResult:
        with Vertical(id="question") as box:
            box.border_title = "known losses"
            yield OptionList(*map(self._words, REFERENCE_LINES))
            yield Static(_HINT, markup=False)

    def action_choose(self) -> None:
        """Draw the line under the cursor, or no more."""
        self.query_one(OptionList).action_select()

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        line = REFERENCE_LINES[event.option_index]
        self._chosen ^= {line}
        event.option_list.replace_option_prompt_at_index(event.option_index, self._words(line))

    def action_close(self) -> None:
        """Draw the chosen lines."""
        self.dismiss(tuple(line for line in REFERENCE_LINES if line in self._chosen))

    def _words(self, line: ReferenceLine) -> Content:
        return Content(f"{'✓' if line in self._chosen else ' '} {line.loss:.4g}  {line.name}: {line.holds_for}")
