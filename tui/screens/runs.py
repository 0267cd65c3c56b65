"""All runs in a table that is kept up to date: open, pause, stop, continue, delete."""

from __future__ import annotations

from dataclasses import dataclass
from time import time

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.color import Color
from textual.containers import Vertical
from textual.getters import query_one
from textual.widgets import DataTable, Footer, Static

from ...data.storage.errors import EXPECTED
from ...engine.runs import Run, RunError, RunManifest, ShownState, list_runs, trash_run
from .. import keymap
from ..bridge import Bridge, CommandName
from ..messages import ExportWanted
from ..run_words import STATE_STYLES
from ..text import formatting
from .action_screen import ActionScreen
from .questions import Answer, Question
from .sizes import WIDE

REFRESH = 1.0  # seconds
_COLUMNS = {
    "name": "run", "state": "state", "step": "step", "train": "train", "validation": "val", "best": "best",
    "preset": "preset", "corpus": "corpus", "age": "age",
}  # fmt: skip


@dataclass(frozen=True)
class RunSummary:
    """What the table shows about a run. None stands for what is not known."""

    name: str
    state: ShownState
    step: int
    total_steps: int | None
    train_loss: float | None
    validation_loss: float | None
    best_loss: float | None
    preset: str
    corpus: str
    created: float | None


class RunReader:
    """Reads the summaries again and again; run.json, which never changes, is read once for each run."""

    def __init__(self) -> None:
        self._manifests: dict[Run, RunManifest] = {}
        self.runs: dict[str, Run] = {}

    def read(self) -> dict[str, RunSummary]:
        """All runs by name, the newest first."""
        self.runs = {run.name: run for run in list_runs()}
        return {name: self._summary(run) for name, run in self.runs.items()}

    def _summary(self, run: Run) -> RunSummary:
        manifest, status = self._manifest(run), run.status()
        return RunSummary(
            name=run.name,
            state=run.shown_state(),
            step=status.step if status else 0,
            total_steps=status.total_steps if status else None,
            train_loss=status.train_loss if status else None,
            validation_loss=status.validation_loss if status else None,
            best_loss=status.best_validation_loss if status else None,
            preset=manifest.preset if manifest else "",
            corpus=manifest.corpus.name if manifest else "unreadable run.json",
            created=manifest.created if manifest else None,
        )

    def _manifest(self, run: Run) -> RunManifest | None:
        if run not in self._manifests:
            try:
                self._manifests[run] = run.manifest()
            except RunError:
                return None
        return self._manifests[run]


class RunsScreen(ActionScreen):
    """Cells are updated in place, so the cursor and the view stay where they are."""

    SCOPE = "runs"
    BINDINGS = [*keymap.bindings("runs")]
    AUTO_FOCUS = "#runs-table"

    table = query_one("#runs-table", DataTable)

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()
        self._bridge = bridge
        self._reader = RunReader()
        self._shown: dict[str, RunSummary] = {}
        self._columns: dict[str, str] = {}

    def compose(self) -> ComposeResult:
        """The table, and a sentence for when it is empty."""
        with Vertical(id="runs") as box:
            box.border_title = "runs"
            yield DataTable(id="runs-table", cursor_type="row", zebra_stripes=False)
            yield Static(
                "There is no run yet. Press n to train a model on a text of yours.", id="runs-empty", markup=False
            )
        yield Footer()

    def on_mount(self) -> None:
        """Refresh the table at a steady pace."""
        self.set_interval(REFRESH, self.refresh_rows)

    def on_resize(self) -> None:
        """Build the table again with the columns that fit."""
        columns = dict(_COLUMNS)
        if self.app.size.width < WIDE:
            del columns["preset"], columns["train"]
        if columns != self._columns:
            self._columns, self._shown = columns, {}
            self.table.clear(columns=True)
            for key, label in columns.items():
                self.table.add_column(label, key=key)
        self.refresh_rows()

    def refresh_rows(self) -> None:
        """Add what is new, remove what is gone, update what changed."""
        summaries = self._reader.read()
        if summaries.keys() != self._shown.keys():
            self._fill(summaries)
        else:
            for name, summary in summaries.items():
                for key, cell in self._cells(summary).items():
                    if cell != self.table.get_cell(name, key) or cell.style != self.table.get_cell(name, key).style:
                        self.table.update_cell(name, key, cell, update_width=True)
        self._shown = summaries
        self.table.display = bool(summaries)
        self.query_one("#runs-empty").display = not summaries

    def _fill(self, summaries: dict[str, RunSummary]) -> None:
        selected = self._selected_name() or (self._bridge.run.name if self._bridge.run else None)
        self.table.clear()
        for name, summary in summaries.items():
            self.table.add_row(*self._cells(summary).values(), key=name)
        if selected in summaries:
            self.table.move_cursor(row=list(summaries).index(selected))

    def _cells(self, run: RunSummary) -> dict[str, Text]:
        on_screen = self._bridge.run is not None and self._bridge.run.name == run.name
        total = "" if run.total_steps is None else f" / {run.total_steps:,}"
        age = formatting.UNKNOWN if run.created is None else formatting.duration(max(0, time() - run.created))
        cells = {
            "name": Text(formatting.one_line(run.name), self._colour("primary") if on_screen else ""),
            "state": Text(STATE_STYLES[run.state].label, self._colour(STATE_STYLES[run.state].colour)),
            "step": Text(f"{run.step:,}{total}"),
            "train": Text(formatting.loss(run.train_loss)),
            "validation": Text(formatting.loss(run.validation_loss)),
            "best": Text(formatting.loss(run.best_loss)),
            "preset": Text(formatting.one_line(run.preset)),
            "corpus": Text(formatting.one_line(run.corpus)),
            "age": Text(age),
        }
        return {key: cells[key] for key in self._columns}

    def _colour(self, variable: str) -> str:
        return Color.parse(self.app.theme_variables[variable]).hex6

    # --- actions ---------------------------------------------------------------

    @on(DataTable.RowSelected)
    def _row_selected(self, event: DataTable.RowSelected) -> None:
        self.action_open()

    def action_open(self) -> None:
        """Show the run and go to the chat."""
        run = self._selected()
        if run is None:
            return
        try:
            self._bridge.attach(run)
        except EXPECTED as error:
            self.refuse(error)
            return
        self.dismiss()

    def action_pause(self) -> None:
        if run := self._selected():
            self._send_command("resume" if run.shown_state() == "paused" else "pause", run)

    def action_stop(self) -> None:
        """End the training, with a checkpoint."""
        if run := self._selected():
            self._send_command("stop", run)

    @work(group="continue", exclusive=True)
    async def action_continue(self) -> None:
        """Train the run further from its last checkpoint."""
        if run := self._selected():
            try:
                await self._bridge.continue_run(run)
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
                self._bridge.forget(run)
                self.notify(f"'{run.name}' is in {folder}", markup=False)
            self.refresh_rows()

    def action_export(self) -> None:
        """Ask the app for a file for llama.cpp."""
        if run := self._selected():
            self.post_message(ExportWanted(run.name))

    def action_new(self) -> None:
        from .new_run import NewRunScreen

        self.app.switch_screen(NewRunScreen(self._bridge))

    def action_close(self) -> None:
        self.dismiss()

    def _send_command(self, name: CommandName, run: Run) -> None:
        try:
            self._bridge.send_command(name, run)
        except EXPECTED as error:
            self.refuse(error)

    def _selected(self) -> Run | None:
        return self._reader.runs.get(self._selected_name() or "")

    def _selected_name(self) -> str | None:
        if not self.table.is_valid_coordinate(self.table.cursor_coordinate):
            return None
        return self.table.coordinate_to_cell_key(self.table.cursor_coordinate).row_key.value
