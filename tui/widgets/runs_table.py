"""All runs in a table whose cells are updated in place, so the cursor and the view stay where they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from time import time

from rich.cells import cell_len
from rich.text import Text
from textual.app import ComposeResult
from textual.color import Color
from textual.containers import Vertical
from textual.getters import query_one
from textual.widgets import DataTable, Static

from ...engine.run_summary import RunSummary
from ...engine.runs import Run
from ..run_words import STATE_STYLES
from ..text import formatting

COLUMNS = {
    "name": "run", "state": "state", "step": "step", "best": "best @ step", "bits": "bits/B", "parameters": "params",
    "speed": "tok/s", "age": "age", "tags": "tags", "changed": "changed",
}  # fmt: skip
_FRAME = 8  # cells of borders, padding and scrollbar beside the columns


class RunsTable(Vertical):
    """The runs, or a sentence where there is none. Enter on a row is DataTable.RowSelected."""

    table = query_one("#runs-table", DataTable)

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.border_title = "runs"
        self._shown: dict[str, RunSummary] = {}
        self._on_screen: Run | None = None
        self._columns: dict[str, str] = {}

    def compose(self) -> ComposeResult:
        yield DataTable(id="runs-table", cursor_type="row", zebra_stripes=False)
        yield Static("There is no run yet. Press n to train a model on a text of yours.", id="runs-empty", markup=False)

    @property
    def selected(self) -> Run | None:
        """The run under the cursor."""
        summary = self._shown.get(self._selected_name() or "")
        return summary.run if summary else None

    def show_columns(self, keys: Iterable[str]) -> None:
        """Build the table again with these of COLUMNS; the rows come with the next `show`."""
        columns = {key: COLUMNS[key] for key in keys}
        if columns != self._columns:
            self._columns, self._shown = columns, {}
            self.table.clear(columns=True)
            for key, label in columns.items():
                self.table.add_column(label, key=key)

    def show(self, runs: Sequence[RunSummary], on_screen: Run | None) -> None:
        """Add what is new, remove what is gone, update what changed; the run that is on screen is marked."""
        self._on_screen = on_screen
        summaries = {summary.run.name: summary for summary in runs}
        if summaries.keys() != self._shown.keys():
            self._fill(summaries)
        else:
            for name, cells in self._rows(summaries).items():
                for key, cell in cells.items():
                    if cell != self.table.get_cell(name, key) or cell.style != self.table.get_cell(name, key).style:
                        self.table.update_cell(name, key, cell, update_width=True)
        self._shown = summaries
        self.table.display = bool(summaries)
        self.table.styles.height = len(summaries) + 1  # a list that grows leaves the rest to the chart
        self.query_one("#runs-empty").display = not summaries

    def _fill(self, summaries: dict[str, RunSummary]) -> None:
        selected = self._selected_name() or (self._on_screen.name if self._on_screen else None)
        self.table.clear()
        for name, cells in self._rows(summaries).items():
            self.table.add_row(*cells.values(), key=name)
        if selected in summaries:
            self.table.move_cursor(row=list(summaries).index(selected))

    def _rows(self, summaries: dict[str, RunSummary]) -> dict[str, dict[str, Text]]:
        """The cells of all runs; what was changed takes the width that the other columns leave."""
        rows = {name: self._cells(summary) for name, summary in summaries.items()}
        others = [key for key in self._columns if key != "changed"]
        taken = sum(
            2 + max([cell_len(self._columns[key]), *(cells[key].cell_len for cells in rows.values())]) for key in others
        )
        left = max(cell_len("changed"), self.app.size.width - _FRAME - taken)
        for cells in rows.values():
            if "changed" in cells:
                cells["changed"].truncate(left, overflow="ellipsis")
        return rows

    def _cells(self, run: RunSummary) -> dict[str, Text]:
        on_screen = self._on_screen is not None and self._on_screen.name == run.run.name
        status, manifest = run.status, run.manifest
        total = f" / {status.total_steps:,}" if status and status.total_steps is not None else ""
        best = formatting.loss(status.best_validation_loss if status else None)
        at = f" @ {status.best_step:,}" if status and status.best_step is not None else ""
        made = manifest.created if manifest else None
        cells = {
            "name": Text(formatting.one_line(run.name), f"bold {self._colour('primary')}" if on_screen else ""),
            "state": Text(STATE_STYLES[run.state].label, self._colour(STATE_STYLES[run.state].colour)),
            "step": Text(f"{status.step if status else 0:,}{total}"),
            "best": Text(best + at),
            "bits": Text(formatting.loss(status.bits_per_byte if status else None)),
            "parameters": Text(formatting.parameters(run.parameters)),
            "speed": Text(formatting.compact(status.tokens_per_second if status else None)),
            "age": Text(formatting.UNKNOWN if made is None else formatting.duration(max(0, time() - made))),
            "changed": Text(
                formatting.one_line(", ".join(map(str, run.changed)) if manifest else "unreadable run.json")
            ),
            "tags": Text(formatting.one_line(" ".join(f"#{tag}" for tag in run.about.tags))),
        }
        return {key: cells[key] for key in self._columns}

    def _colour(self, variable: str) -> str:
        return Color.parse(self.app.theme_variables[variable]).hex6

    def _selected_name(self) -> str | None:
        if not self.table.is_valid_coordinate(self.table.cursor_coordinate):
            return None
        return self.table.coordinate_to_cell_key(self.table.cursor_coordinate).row_key.value
