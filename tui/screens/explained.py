"""F7: why each token of the last reply was chosen, one row a token."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.color import Color
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import DataTable, Static

from ...engine.events import TokenDetail

_LIKELY, _UNLIKELY = 0.5, 0.1  # probabilities between which a token is neither
_COLUMNS = ("token", "model", "drawn from", "rank", "entropy")
_ABOUT = (
    "model: the probability under the model. drawn from: what the penalties, the temperature and the filters made of "
    "it. entropy: how undecided the model was, in nats."
)


class ExplainedScreen(ModalScreen[bool]):
    """The tokens of a reply and, for the one under the cursor, what else it could have been.

    Its result is whether further replies are to be explained.
    """

    BINDINGS = [
        Binding("escape,f7,q,enter", "close(True)", "Close", priority=True),
        Binding("x", "close(False)", "Explain no more"),
    ]

    def __init__(self, details: Sequence[TokenDetail]) -> None:
        super().__init__()
        self._details = details

    def compose(self) -> ComposeResult:
        """The table and, below it, the alternatives."""
        with Vertical(id="explained") as box:
            box.border_title = "why these tokens"
            box.border_subtitle = "Esc closes · x explains no more"
            yield DataTable[Text](id="explained-tokens", cursor_type="row")
            yield Static(id="explained-alternatives", markup=False)
            yield Static(_ABOUT, id="explained-about", markup=False)

    def on_mount(self) -> None:
        """Fill the table; the first token's alternatives follow by themselves."""
        table = self.query_one(DataTable)
        table.add_columns(*_COLUMNS)
        for detail in self._details:
            figures = f"{detail.probability:.4f}", f"{detail.drawn_probability:.4f}", f"{detail.rank:,}"
            cells = (Text(cell, justify="right") for cell in (*figures, f"{detail.entropy:.2f}"))
            table.add_row(Text(shown(detail.text), self._heat(detail.probability)), *cells)
        table.focus()

    def action_close(self, further: bool) -> None:
        """Back to the chat."""
        self.dismiss(further)

    @on(DataTable.RowHighlighted)
    def _highlighted(self, event: DataTable.RowHighlighted) -> None:
        event.stop()
        detail = self._details[event.cursor_row]
        parts: list[tuple[str, str]] = [("likeliest  ", "$text-muted")]
        for other in detail.alternatives:
            style = "bold" if other.token == detail.token else "" if other.drawn_probability else "$text-muted"
            parts.append((f"{shown(other.text)}\u00a0{other.probability:.3f}→{other.drawn_probability:.3f}", style))
            parts.append(("   ", ""))
        self.query_one("#explained-alternatives", Static).update(Content.assemble(*parts))

    def _heat(self, probability: float) -> str:
        name = "success" if probability >= _LIKELY else "error" if probability < _UNLIKELY else "warning"
        return Color.parse(self.app.theme_variables[name]).hex6


def shown(text: str) -> str:
    """A token as it may stand in a cell: quoted, so that blanks are seen, and with no control characters."""
    return repr(text)
