"""The train desk: all runs in a table that is kept up to date, and below it the losses of the run on screen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from time import time

from rich.text import Text
from textual import on, work
from textual.color import Color
from textual.containers import Vertical
from textual.getters import query_one
from textual.signal import Signal
from textual.widget import Widget
from textual.widgets import DataTable, Static

from ...data.storage.errors import EXPECTED
from ...engine.runs import Run, RunError, RunManifest, ShownState, list_runs, trash_run
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
        self._reader = RunReader()
        self._shown: dict[str, RunSummary] = {}
        self._columns: dict[str, str] = {}

    def parts(self) -> Iterable[Widget]:
        """The table, or a sentence where it is empty, above the training of the run on screen."""
        with Vertical(id="runs") as box:
            box.border_title = "runs"
            yield DataTable(id="runs-table", cursor_type="row", zebra_stripes=False)
            yield Static(
                "There is no run yet. Press n to train a model on a text of yours.", id="runs-empty", markup=False
            )
        yield TrainingPanel(id="run-training")

    def on_mount(self) -> None:
        """Refresh the table at a steady pace."""
        self.set_interval(REFRESH, self._refresh_if_seen)

    def _refresh_if_seen(self) -> None:
        if self in self.app.screen_stack:
            self.refresh_rows()

    def show_figures(self) -> None:
        """Header and panel; the table marks the run on screen."""
        super().show_figures()
        self.training.show(self.bridge.training)
        self.training.display = self.bridge.run is not None

    def on_resize(self) -> None:
        """Build the table again with the columns that fit, and put the figures of the run where there is room."""
        self.training.set_class(self.wide, "-beside")
        columns = dict(_COLUMNS)
        if self.app.size.width < WIDE:
            del columns["preset"], columns["train"]
        if self.app.size.width < MEDIUM:
            del columns["corpus"], columns["age"]
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
        self.table.styles.height = len(summaries) + 1  # a list that grows leaves the rest to the chart
        self.query_one("#runs-empty").display = not summaries

    def _fill(self, summaries: dict[str, RunSummary]) -> None:
        selected = self._selected_name() or (self.bridge.run.name if self.bridge.run else None)
        self.table.clear()
        for name, summary in summaries.items():
            self.table.add_row(*self._cells(summary).values(), key=name)
        if selected in summaries:
            self.table.move_cursor(row=list(summaries).index(selected))

    def _cells(self, run: RunSummary) -> dict[str, Text]:
        on_screen = self.bridge.run is not None and self.bridge.run.name == run.name
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
        return self._reader.runs.get(self._selected_name() or "")

    def _selected_name(self) -> str | None:
        if not self.table.is_valid_coordinate(self.table.cursor_coordinate):
            return None
        return self.table.coordinate_to_cell_key(self.table.cursor_coordinate).row_key.value
