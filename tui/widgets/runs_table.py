"""All runs in a table: sorted, filtered and marked; below it what there is to know of the run under the cursor.

Cells are updated in place, so the cursor stays on its run and the view where it is.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence

from rich.cells import cell_len
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.color import Color
from textual.containers import Vertical
from textual.content import Content
from textual.getters import query_one
from textual.layout import Layout
from textual.widgets import DataTable, Static

from ...data.storage.errors import sentence_of
from ...engine.run_filter import matching
from ...engine.run_summary import RunSummary
from ...engine.runs import Run, RunError
from .. import keys
from ..messages import RunsMarked
from ..run_detail import run_detail
from ..run_words import STATE_STYLES
from ..text import formatting
from .filter_line import FilterLine
from .run_columns import AGES, Column, columns_for, fitted, ordered, shortened
from .shared_height import SharedHeight

_FRAME = 8  # cells of borders, padding, scrollbar and signs beside the columns
_LEAST_ROWS = 4  # of the table, its heading among them
_SIGN = "■"
_PLACEHOLDER = "words, #tag, preset=quick, loss<1.6, n_layer>=4"

Cell = tuple[str, str]  # text and style


class _Sign(Text):
    """The sign of a marked run; it knows whose row it stands in, for DataTable sorts by what is in the cells."""

    def __init__(self, text: str, style: str, run: str) -> None:
        super().__init__(text, style)
        self.run = run


def _named(runs: Sequence[RunSummary]) -> dict[str, RunSummary]:
    """The runs by the names of their folders; one of another place that is called the same by its path."""
    named = dict[str, RunSummary]()
    for summary in runs:
        named[str(summary.run.path) if summary.run.name in named else summary.run.name] = summary
    return named


def _are_the_same(runs: Sequence[RunSummary], others: Sequence[RunSummary]) -> bool:
    """Whether nothing has changed: RunSummaries has the same object for a run that is as it was."""
    return len(runs) == len(others) and all(map(operator.is_, runs, others))


def _made(run: str, key: str, cell: Cell) -> Text:
    return _Sign(*cell, run) if key == "sign" else Text(*cell)


class RunsTable(Vertical):
    """The runs, or a sentence where there is none. Enter on a row is DataTable.RowSelected.

    The marked runs are told by RunsMarked whenever they change.
    """

    DEFAULT_CSS = """
    RunsTable {
        & > #run-detail { height: auto; max-height: 6; color: $text-muted; }
    }
    """

    filter = query_one("#runs-filter", FilterLine)

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.border_title = "runs"
        self.table = DataTable[Text](id="runs-table", cursor_type="row", zebra_stripes=False)
        self._layout = SharedHeight({self.table: _LEAST_ROWS})
        self._all: Sequence[RunSummary] = ()
        self._by_name: dict[str, RunSummary] = {}
        self._shown: dict[str, RunSummary] = {}  # in the order of the rows
        self._on_screen: Run | None = None
        self._columns: dict[str, Column] = {}
        self._words = ""  # of the filter
        self._sorted_by, self._reverse = "", False
        self._marked: list[str] = []
        self._run_colour: Callable[[str], str] | None = None
        self._texts: dict[str, tuple[RunSummary, dict[str, str]]] = {}
        self._drawn: dict[str, dict[str, Cell]] = {}
        self._detailed: RunSummary | None = None
        self._detail: list[str] | None = None

    def compose(self) -> ComposeResult:
        yield FilterLine(_PLACEHOLDER, id="runs-filter")
        yield self.table
        yield Static(id="runs-empty", markup=False)
        yield Static(id="run-detail", markup=False)

    def on_mount(self) -> None:
        """Follow the theme: the cells have its colours."""
        self.app.theme_changed_signal.subscribe(self, lambda _: self._write())

    @property
    def layout(self) -> Layout:
        """The table scrolls where its rows do not fit above what there is to know of a run."""
        return self._layout

    # --- what is shown --------------------------------------------------------------------------

    @property
    def selected(self) -> Run | None:
        """The run under the cursor."""
        summary = self._shown.get(self._selected_name() or "")
        return summary.run if summary else None

    @property
    def marked(self) -> list[Run]:
        """The marked runs in the order in which they were marked, those that the filter hides as well."""
        return [self._by_name[name].run for name in self._marked if name in self._by_name]

    def colour_runs(self, colour: Callable[[str], str]) -> None:
        """Have the marked runs' signs in the colours, by the names of runs, in which a chart draws them."""
        self._run_colour = colour
        self._write()

    def show(self, runs: Sequence[RunSummary], on_screen: Run | None) -> None:
        """Add what is new, remove what is gone, update what changed; the run that is on screen stands out."""
        if on_screen == self._on_screen and AGES not in self._columns and _are_the_same(runs, self._all):
            return
        self._all, self._on_screen, self._by_name = runs, on_screen, _named(runs)
        if gone := [name for name in self._marked if name not in self._by_name]:
            self._mark([name for name in self._marked if name not in gone])
        self._write()

    def fit(self, window: int) -> None:
        """Show the columns that a window of this width has room for."""
        columns = columns_for(window)
        if columns.keys() != self._columns.keys():
            self._columns, self._drawn = columns, {}
        self._write()

    def _write(self) -> None:
        """Bring the rows up to date."""
        if not self._columns:
            return
        kept = ordered(matching(self._all, self._words), self._sorted_by, reverse=self._reverse)
        named = {summary.run: name for name, summary in self._by_name.items()}
        before, self._shown = list(self._shown), {named[summary.run]: summary for summary in kept}
        rows = self._rows()
        if rows.keys() != self._drawn.keys():
            self._fill(rows)
        else:
            self._update(rows, reordered=before != list(rows))
        self._drawn = rows
        self._show_state()
        self._show_detail()

    def _fill(self, rows: Mapping[str, Mapping[str, Cell]]) -> None:
        """Make columns, which are as wide as their cells, and rows anew; the cursor stays on its run."""
        shown = (name for name, summary in self._shown.items() if summary.run == self._on_screen)
        selected = self._selected_name() or next(shown, "")
        self.table.clear(columns=True)
        self.table.add_column(Text(), key="sign", width=1)
        for key in self._columns:
            self.table.add_column(Text(self._label(key)), key=key)
        for name, cells in rows.items():
            self.table.add_row(*(_made(name, key, cell) for key, cell in cells.items()), key=name)
        if selected in rows:
            self.table.move_cursor(row=list(rows).index(selected))

    def _update(self, rows: Mapping[str, Mapping[str, Cell]], *, reordered: bool) -> None:
        for name, cells in rows.items():
            drawn = self._drawn[name]
            if cells != drawn:
                for key, cell in cells.items():
                    if cell != drawn[key]:
                        wider = cell_len(cell[0]) != cell_len(drawn[key][0])  # a column is measured as a whole
                        self.table.update_cell(name, key, _made(name, key, cell), update_width=wider)
        if reordered:
            selected, places = self._selected_name(), {name: place for place, name in enumerate(rows)}
            self.table.sort("sign", key=lambda sign: places[sign.run])
            self.table.move_cursor(row=places.get(selected or "", 0))

    def _rows(self) -> dict[str, dict[str, Cell]]:
        """The cells of the rows; some columns take the width that the others leave."""
        texts = {name: self._cells(name, summary) for name, summary in self._shown.items()}
        labels = {key: self._label(key) for key in self._columns}
        limits = fitted(texts, labels, self.app.size.width - _FRAME)
        colours = {name: self._colour(style.colour) for name, style in STATE_STYLES.items()}
        on_screen = f"bold {self._colour('primary')}"
        rows = dict[str, dict[str, Cell]]()
        for name, cells in texts.items():
            row = {key: (shortened(text, limits.get(key)), "") for key, text in cells.items()}
            row["state"] = (row["state"][0], colours[self._shown[name].state])
            if self._shown[name].run == self._on_screen:
                row["name"] = (row["name"][0], on_screen)
            rows[name] = {"sign": self._sign(name), **row}
        return rows

    def _cells(self, name: str, summary: RunSummary) -> dict[str, str]:
        known = self._texts.get(name)
        if known is None or known[0] is not summary or known[1].keys() != self._columns.keys():
            known = self._texts[name] = (summary, {key: column.cell(summary) for key, column in self._columns.items()})
        if AGES in known[1]:
            known[1][AGES] = self._columns[AGES].cell(summary)
        return known[1]

    def _sign(self, name: str) -> Cell:
        if name not in self._marked:
            return " ", ""
        return _SIGN, self._run_colour(name) if self._run_colour else self._colour("primary")

    def _colour(self, variable: str) -> str:
        return Color.parse(self.app.theme_variables[variable]).hex6

    def _show_state(self) -> None:
        """The heading, and a sentence where there is no row."""
        shown, count = len(self._shown), len(self._all)
        title = f"runs · {shown} of {count} · {formatting.one_line(self._words)}" if self._words else "runs"
        self.border_title = Content(f"{title} · {len(self._marked)} marked" if self._marked else title)
        self.table.display = bool(shown)
        self.table.styles.height = shown + 1  # a list that grows leaves the rest to the chart
        empty = self.query_one("#runs-empty", Static)
        empty.display = not shown
        if not shown:  # else each update of the table would have all of the screen laid out again
            new = f"There is no run yet. Press {keys.spoken('runs.new')} to train a model on a text of yours."
            empty.update("No run is like that." if count else new)

    def _show_detail(self) -> None:
        summary = self._shown.get(self._selected_name() or "")
        if summary is self._detailed:
            return
        self._detailed = summary
        lines = run_detail(summary) if summary else []
        if lines == self._detail:
            return
        self._detail = lines
        detail = self.query_one("#run-detail", Static)
        detail.display = bool(lines)
        detail.update("\n".join(lines))

    @on(DataTable.RowHighlighted)
    def _row_highlighted(self) -> None:
        self._show_detail()

    def _selected_name(self) -> str | None:
        if not self.table.is_valid_coordinate(self.table.cursor_coordinate):
            return None
        return self.table.coordinate_to_cell_key(self.table.cursor_coordinate).row_key.value

    # --- sorting --------------------------------------------------------------------------------

    def sort_by_next(self) -> None:
        """Sort by the next column; after the last one the newest run comes first again."""
        keys = ["", *self._columns]
        self._sort(keys[(keys.index(self._sorted_by) + 1) % len(keys) if self._sorted_by in keys else 1])

    def reverse(self) -> None:
        """Turn the order around."""
        self._sort(self._sorted_by, reverse=not self._reverse)

    @on(DataTable.HeaderSelected)
    def _header_selected(self, event: DataTable.HeaderSelected) -> None:
        event.stop()
        key = event.column_key.value or ""
        if key in self._columns:
            self._sort(key, reverse=key == self._sorted_by and not self._reverse)

    def _sort(self, key: str, *, reverse: bool = False) -> None:
        self._sorted_by, self._reverse = key, reverse
        self._drawn = {}  # the labels, and so the columns, are others
        self._write()

    def _label(self, key: str) -> str:
        arrow = (" ▼" if self._reverse else " ▲") if key == self._sorted_by else ""
        return self._columns[key].label + arrow

    # --- filtering ------------------------------------------------------------------------------

    def open_filter(self) -> None:
        """Have the person type which runs are to be seen."""
        self.filter.open()

    def clear_filter(self) -> bool:
        """Show all runs; whether some were hidden."""
        hidden = bool(self._words)
        self.filter.action_clear()
        return hidden

    @on(FilterLine.Changed)
    def _filter_changed(self, event: FilterLine.Changed) -> None:
        event.stop()
        try:
            matching((), event.words)
        except RunError as error:
            self.filter.show_problem(sentence_of(error))
            return
        self.filter.show_problem("")
        self._words = event.words.strip()
        self._write()

    @on(FilterLine.Left)
    def _filter_left(self, event: FilterLine.Left) -> None:
        event.stop()
        self.table.focus()

    # --- marking --------------------------------------------------------------------------------

    def toggle_mark(self) -> None:
        """Mark the run under the cursor, or no more."""
        name = self._selected_name()
        if name is not None:
            others = [other for other in self._marked if other != name]
            self._mark(others if name in self._marked else [*others, name])
            self._write()

    def mark_none(self) -> None:
        """No run is marked any more."""
        self._mark([])
        self._write()

    def _mark(self, names: list[str]) -> None:
        if names != self._marked:
            self._marked = names
            self.post_message(RunsMarked(names))
