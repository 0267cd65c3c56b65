"""The train desk: all runs in a table that is kept up to date, and below it the losses of the run on screen."""

from __future__ import annotations

from collections.abc import Iterable
from time import time

from rich.cells import cell_len
from rich.text import Text
from textual import on, work
from textual.color import Color
from textual.containers import Horizontal, Vertical
from textual.getters import query_one
from textual.signal import Signal
from textual.widget import Widget
from textual.widgets import DataTable, Static

from ...data.storage.errors import EXPECTED
from ...engine.run_summary import RunSummaries, RunSummary
from ...engine.run_trash import trash_run
from ...engine.runs import Run
from .. import keymap
from ..bridge import Bridge
from ..messages import ExportWanted
from ..run_words import STATE_STYLES
from ..text import formatting
from ..widgets.training_panel import TrainingPanel
from .desk import Desk
from .questions import Answer, Question
from .sizes import MEDIUM, WIDE

REFRESH = 1.0  # seconds
_FRAME = 8  # cells of borders, padding and scrollbar beside the columns
_COLUMNS = {
    "name": "run", "state": "state", "step": "step", "best": "best @ step", "bits": "bits/B", "parameters": "params",
    "speed": "tok/s", "age": "age", "tags": "tags", "changed": "changed",
}  # fmt: skip
_MEDIUM_ONLY = ("changed",)  # columns that a narrow window has no room for
_WIDE_ONLY = ("bits", "parameters", "speed", "age")  # and those that only a wide one has


class TrainDesk(Desk):
    """Cells are updated in place, so the cursor and the view stay where they are."""

    NAME = "train"
    SCOPE = "train"
    BINDINGS = [*keymap.bindings("train"), *keymap.bindings("desk")]
    CSS_PATH = "../styles/train.tcss"
    AUTO_FOCUS = "#runs-table"

    table = query_one("#runs-table", DataTable)
    training = query_one("#run-training", TrainingPanel)

    def __init__(self, bridge: Bridge, figures_changed: Signal[None] | None, corpus: str | None) -> None:
        super().__init__(bridge, figures_changed, corpus)
        self._summaries = RunSummaries()
        self._shown: dict[str, RunSummary] = {}
        self._columns: dict[str, str] = {}

    def parts(self) -> Iterable[Widget]:
        """The table, or a sentence where it is empty, above the curves of runs, and one line of what they mean."""
        with Vertical(id="runs") as box:
            box.border_title = "runs"
            yield DataTable(id="runs-table", cursor_type="row", zebra_stripes=False)
            yield Static(
                "There is no run yet. Press n to train a model on a text of yours.", id="runs-empty", markup=False
            )
        with Horizontal(id="run-curves"):
            yield TrainingPanel(id="run-training")
        yield Static(id="meaning", markup=False)

    def on_mount(self) -> None:
        """Refresh the table at a steady pace, and its colours with the theme."""
        self.set_interval(REFRESH, self._refresh_if_seen)
        self.app.theme_changed_signal.subscribe(self, lambda _: self._refresh_if_seen())

    def _refresh_if_seen(self) -> None:
        if self in self.app.screen_stack:
            self.refresh_rows()

    def show_figures(self) -> None:
        """Header and panel; the table marks the run on screen."""
        super().show_figures()
        self.training.show(self.bridge.training)
        self.query_one("#run-curves").display = self.bridge.run is not None

    def on_resize(self) -> None:
        """Build the table again with the columns that fit, and put the figures of the run where there is room."""
        self.training.set_class(self.wide, "-beside")
        columns = dict(_COLUMNS)
        width = self.app.size.width
        for key in (*(_WIDE_ONLY if width < WIDE else ()), *(_MEDIUM_ONLY if width < MEDIUM else ())):
            del columns[key]
        if columns != self._columns:
            self._columns, self._shown = columns, {}
            self.table.clear(columns=True)
            for key, label in columns.items():
                self.table.add_column(label, key=key)
        self.refresh_rows()

    def refresh_rows(self) -> None:
        """Add what is new, remove what is gone, update what changed."""
        summaries = {summary.run.name: summary for summary in self._summaries.read()}
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
        selected = self._selected_name() or (self.bridge.run.name if self.bridge.run else None)
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
        on_screen = self.bridge.run is not None and self.bridge.run.name == run.run.name
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

    # --- actions ---------------------------------------------------------------

    @on(DataTable.RowSelected)
    def _row_selected(self, event: DataTable.RowSelected) -> None:
        self.action_open()

    def action_open(self) -> None:
        """Show the run, and go to the write desk."""
        if self._show_run():
            self.app.switch_mode("write")

    def action_show(self) -> None:
        """Show the run, and stay."""
        if self._show_run():
            self.refresh_rows()
            self.show_figures()

    def _show_run(self) -> bool:
        run = self._selected()
        if run is None:
            return False
        try:
            self.bridge.attach(run)
        except EXPECTED as error:
            self.refuse(error)
            return False
        return True

    def action_pause(self) -> None:
        if run := self._selected():
            self.send_command("resume" if run.shown_state() == "paused" else "pause", run)

    def action_stop(self) -> None:
        """End the training, with a checkpoint."""
        if run := self._selected():
            self.send_command("stop", run)

    @work(group="continue", exclusive=True)
    async def action_continue(self) -> None:
        """Train the run further from its last checkpoint."""
        if run := self._selected():
            try:
                await self.bridge.continue_run(run)
            except EXPECTED as error:
                self.refuse(error)
            self.refresh_rows()

    @work(group="delete", exclusive=True)
    async def action_delete(self) -> None:
        """Move the run to the trash once that is confirmed."""
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
                self.bridge.forget(run)
                self.notify(f"'{run.name}' is in {folder}", markup=False)
            self.refresh_rows()

    def action_export(self) -> None:
        """Ask the app for a file for llama.cpp."""
        if run := self._selected():
            self.post_message(ExportWanted(run.name))

    def action_new(self) -> None:
        self.action_new_run()

    def action_close(self) -> None:
        self.app.switch_mode("write")

    def _selected(self) -> Run | None:
        summary = self._shown.get(self._selected_name() or "")
        return summary.run if summary else None

    def _selected_name(self) -> str | None:
        if not self.table.is_valid_coordinate(self.table.cursor_coordinate):
            return None
        return self.table.coordinate_to_cell_key(self.table.cursor_coordinate).row_key.value
