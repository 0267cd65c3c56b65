"""F7: why each token of the last replies was chosen."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from ...engine.requests import Alternative, TokenDetail
from ..widgets.heat_text import HeatText
from .sizes import MEDIUM

_TOKEN = 12  # cells of a token in the list of alternatives; longer ones are cut
_COLUMN = 35  # cells of a column of that list
_SHORT = 24  # rows of a window below which the explanation of the words makes room for the text
_ABOUT = (
    "The more a token stands out, the less likely the model found it. p: its probability under the model. drawn: what "
    "the penalties, the temperature and the filters made of that. entropy: how undecided the model was, in nats."
)


class ExplainedScreen(ModalScreen[bool]):
    """The tokens of a reply, coloured by their probability; for the one under the cursor, what else it could have been.

    Of several samples one is shown at a time, the last one first. The result is whether later replies are to be
    explained.
    """

    BINDINGS = [
        Binding("escape,f7,q,enter", "close(True)", "Close", priority=True),
        Binding("x", "close(False)", "Explain no more"),
        Binding("n", "sample(1)", "Next sample"),
        Binding("p", "sample(-1)", "Previous sample"),
    ]

    def __init__(self, replies: Sequence[Sequence[TokenDetail]]) -> None:
        super().__init__()
        self._replies = replies
        self._sample = len(replies) - 1
        self._columns = 2  # of alternatives

    def compose(self) -> ComposeResult:
        """The text and, below it, the figures of one token."""
        with Vertical(id="explained") as box:
            several = " · n next sample" if len(self._replies) > 1 else ""
            box.border_subtitle = f"arrows move{several} · Esc closes · x explains no more"
            yield HeatText(id="explained-text")
            yield Static(id="explained-token", markup=False)
            yield Static(id="explained-alternatives", markup=False)
            yield Static(_ABOUT, id="explained-about", markup=False)

    def on_mount(self) -> None:
        self._show()
        self.query_one(HeatText).focus()

    def on_resize(self, event: events.Resize) -> None:
        """Give the text the rows that the figures leave; a small window drops the explanation of the words."""
        short = event.size.height < _SHORT
        self.query_one("#explained-about").display = not short
        self._columns = 2 if event.size.width >= MEDIUM else 1
        figures = (9 if self._columns == 2 else 15) + (0 if short else 5)
        self.query_one(HeatText).styles.max_height = max(2, event.size.height * 9 // 10 - figures)

    def _show(self) -> None:
        number = f", sample {self._sample + 1} of {len(self._replies)}" if len(self._replies) > 1 else ""
        self.query_one("#explained").border_title = f"why these tokens{number}"
        self.query_one(HeatText).show(self._replies[self._sample])
        if not self._replies[self._sample]:
            self.query_one("#explained-token", Static).update("no tokens came of this sample")
            self.query_one("#explained-alternatives", Static).update("")

    def action_close(self, explain: bool) -> None:
        self.dismiss(explain)

    def action_sample(self, step: int) -> None:
        """The next of several samples, or the one before."""
        if len(self._replies) > 1:
            self._sample = (self._sample + step) % len(self._replies)
            self._show()

    @on(HeatText.Chosen)
    def _chosen(self, event: HeatText.Chosen) -> None:
        event.stop()
        details = self._replies[self._sample]
        if event.index >= len(details):  # of the sample before
            return
        detail = details[event.index]
        self.query_one("#explained-token", Static).update(
            Content.assemble(
                (f"{event.index + 1:,} of {len(details):,}  ", "$text-muted"),
                (shown(detail.text), "bold"),
                f"   p {detail.probability:.4f} → drawn {detail.drawn_probability:.4f}"
                f"   rank {detail.rank:,}   entropy {detail.entropy:.2f}",
            )
        )
        self.query_one("#explained-alternatives", Static).update(_table(detail, self._columns))


def _table(detail: TokenDetail, columns: int) -> Content:
    """The likeliest tokens, down one column and then the next; the chosen one bold, what was filtered out dim."""
    rows = -(-len(detail.alternatives) // columns)
    parts: list[str | tuple[str, str]] = []
    for row in range(rows):
        for number in range(row, len(detail.alternatives), rows):
            other = detail.alternatives[number]
            style = "bold" if other.token == detail.token else "" if other.drawn_probability else "$text-muted"
            cells = _cells(number + 1, other)
            parts.append((cells if number + rows < len(detail.alternatives) else cells.rstrip(), style))
        parts.append("\n" if row + 1 < rows else "")
    return Content.assemble(*parts)


def _cells(rank: int, other: Alternative) -> str:
    token = Content(shown(other.text)).truncate(_TOKEN, ellipsis=True)
    blanks = " " * (_TOKEN - token.cell_length)
    cells = f"{rank:>2}  {token.plain}{blanks} {other.probability:.4f} → {other.drawn_probability:.4f}"
    return cells.ljust(_COLUMN)


def shown(text: str) -> str:
    """A token as it may stand in a cell: quoted, so that blanks are seen, and with no control characters."""
    return repr(text)
