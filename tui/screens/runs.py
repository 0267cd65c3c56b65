"""All runs in a table that stays true: open, pause, stop, continue, delete."""

from __future__ import annotations

from time import time

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.color import Color
from textual.containers import Vertical
from textual.getters import query_one
from textual.widgets import DataTable, Footer, Static

from ...data.storage.errors import EXPECTED
from ...engine.runs import Run, trash_run
from .. import formatting, keymap
from ..bridge import Order
from ..run_list import RunList, RunRow
from ..run_states import LOOKS
from ..sizes import WIDE
from .minigpt_screen import MinigptScreen
from .questions import Answer, Question

REFRESH = 1.0  # seconds
_COLUMNS = {
    "name": "run", "state": "state", "step": "step", "train": "train", "validation": "val",
    "preset": "preset", "corpus": "corpus", "age": "age",
}  # fmt: skip


class RunsScreen(MinigptScreen):
    """Cells are updated in place, so the cursor and the view stay where they are."""

    PLACE = "runs"
    BINDINGS = [*keymap.bindings("runs")]
    AUTO_FOCUS = "#runs-table"

    table = query_one("#runs-table", DataTable)

    def __init__(self) -> None:
        super().__init__()
        self._list = RunList()
        self._shown: dict[str, RunRow] = {}
        self._columns: dict[str, str] = {}

    def compose(self) -> ComposeResult:
        """A table, and a sentence where it would be empty."""
        with Vertical(id="runs") as box:
            box.border_title = "runs"
            yield DataTable(id="runs-table", cursor_type="row", zebra_stripes=False)
            yield Static(
                "There is no run yet. Press n to train a model on a text of yours.", id="runs-empty", markup=False
            )
        yield Footer()

    def on_mount(self) -> None:
        """Keep the table true."""
        self.set_interval(REFRESH, self.refresh_rows)

    def on_resize(self) -> None:
        """Begin anew with the columns that there is room for."""
        columns = dict(_COLUMNS)
        if self.app.size.width < WIDE:
            del columns["preset"]
        if columns != self._columns:
            self._columns, self._shown = columns, {}
            self.table.clear(columns=True)
            for key, label in columns.items():
                self.table.add_column(label, key=key)
        self.refresh_rows()

    def refresh_rows(self) -> None:
        """Add what is new, remove what is gone, update what changed."""
        rows = {row.name: row for row in self._list.read()}
        if rows.keys() != self._shown.keys():
            self._fill(rows)
        else:
            for name, row in rows.items():
                for key, cell in self._cells(row).items():
                    if cell != self.table.get_cell(name, key) or cell.style != self.table.get_cell(name, key).style:
                        self.table.update_cell(name, key, cell, update_width=True)
        self._shown = rows
        self.table.display = bool(rows)
        self.query_one("#runs-empty").display = not rows

    def _fill(self, rows: dict[str, RunRow]) -> None:
        selected = self._selected_name() or (self.minigpt.bridge.run.name if self.minigpt.bridge.run else None)
        self.table.clear()
        for row in rows.values():
            self.table.add_row(*self._cells(row).values(), key=row.name)
        if selected in rows:
            self.table.move_cursor(row=list(rows).index(selected))

    def _cells(self, row: RunRow) -> dict[str, Text]:
        on_screen = self.minigpt.bridge.run is not None and self.minigpt.bridge.run.name == row.name
        total = "" if row.total_steps is None else f" / {row.total_steps:,}"
        age = formatting.UNKNOWN if row.created is None else formatting.duration(max(0, time() - row.created))
        cells = {
            "name": Text(formatting.one_line(row.name), self._colour("primary") if on_screen else ""),
            "state": Text(LOOKS[row.state].label, self._colour(LOOKS[row.state].colour)),
            "step": Text(f"{row.step:,}{total}"),
            "train": Text(formatting.loss(row.train_loss)),
            "validation": Text(formatting.loss(row.validation_loss)),
            "preset": Text(formatting.one_line(row.preset)),
            "corpus": Text(formatting.one_line(row.corpus)),
            "age": Text(age),
        }
        return {key: cells[key] for key in self._columns}

    def _colour(self, variable: str) -> str:
        return Color.parse(self.app.theme_variables[variable]).hex6

    # --- what the person asks for ---------------------------------------------------------------

    @on(DataTable.RowSelected)
    def _row_selected(self, event: DataTable.RowSelected) -> None:
        self.action_open()

    def action_open(self) -> None:
        """Show the run and go to the chat."""
        run = self._selected()
        if run is None:
            return
        try:
            self.minigpt.bridge.attach(run)
        except EXPECTED as error:
            self.refuse(error)
            return
        self.dismiss()

    def action_pause(self) -> None:
        """Pause, or resume what is paused."""
        if run := self._selected():
            self._order("resume" if run.state() == "paused" else "pause", run)

    def action_stop(self) -> None:
        """End the training, with a checkpoint."""
        if run := self._selected():
            self._order("stop", run)

    @work(group="continue", exclusive=True)
    async def action_continue(self) -> None:
        """Train further."""
        if run := self._selected():
            try:
                await self.minigpt.bridge.continue_run(run)
            except EXPECTED as error:
                self.refuse(error)
            self.refresh_rows()

    @work(group="delete", exclusive=True)
    async def action_delete(self) -> None:
        """To the trash, once it is confirmed."""
        run = self._selected()
        if run is None:
            return
        answer = await self.app.push_screen_wait(
            Question(
                "delete",
                f"Move '{run.name}' with its checkpoints to the trash folder?",
                [Answer("delete", "move to the trash", "d")],
            )
        )
        if answer == "delete":
            try:
                folder = trash_run(run)
            except EXPECTED as error:
                self.refuse(error)
            else:
                self.minigpt.bridge.forget(run)
                self.notify(f"'{run.name}' is in {folder}", markup=False)
            self.refresh_rows()

    def action_export(self) -> None:
        """A file for llama.cpp."""
        if run := self._selected():
            self.minigpt.export(run.name)

    def action_new(self) -> None:
        """The form of a new run, instead of this list."""
        from .new_run import NewRunScreen

        self.app.switch_screen(NewRunScreen())

    def action_close(self) -> None:
        """Back to the chat."""
        self.dismiss()

    def _order(self, order: Order, run: Run) -> None:
        try:
            self.minigpt.bridge.order(order, run)
        except EXPECTED as error:
            self.refuse(error)

    def _selected(self) -> Run | None:
        return self._list.runs.get(self._selected_name() or "")

    def _selected_name(self) -> str | None:
        if not self.table.is_valid_coordinate(self.table.cursor_coordinate):
            return None
        return self.table.coordinate_to_cell_key(self.table.cursor_coordinate).row_key.value
