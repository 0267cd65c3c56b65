"""The train desk: all runs in a table that is kept up to date, and below it the losses of the run on screen."""

from __future__ import annotations

from collections.abc import Iterable

from textual import on, work
from textual.containers import Horizontal
from textual.getters import query_one
from textual.signal import Signal
from textual.widget import Widget
from textual.widgets import DataTable

from ...data.storage.errors import EXPECTED
from ...engine.diagnosis.rules import Finding, diagnose
from ...engine.diagnosis.surroundings import Surroundings
from ...engine.run_summary import RunSummaries
from ...engine.run_trash import trash_run
from .. import keymap, keys
from ..bridge import Bridge
from ..messages import ExportWanted
from ..widgets.meaning_line import MeaningLine
from ..widgets.runs_table import COLUMNS, RunsTable
from ..widgets.training_panel import TrainingPanel
from .desk import Desk
from .explanations import ExplanationsBox
from .questions import Answer, Question
from .sizes import MEDIUM, WIDE

REFRESH = 1.0  # seconds
_MEDIUM_ONLY = ("changed",)  # columns that a narrow window has no room for
_WIDE_ONLY = ("bits", "parameters", "speed", "age")  # and those that only a wide one has


class TrainDesk(Desk):
    """The runs, and the training of one of them."""

    NAME = "train"
    SCOPE = "train"
    BINDINGS = [*keymap.bindings("train"), *keymap.bindings("desk")]
    CSS_PATH = "../styles/train.tcss"
    AUTO_FOCUS = "#runs-table"

    runs = query_one("#runs", RunsTable)
    training = query_one("#run-training", TrainingPanel)
    meaning = query_one("#meaning", MeaningLine)

    def __init__(self, bridge: Bridge, figures_changed: Signal[None] | None, corpus: str | None) -> None:
        super().__init__(bridge, figures_changed, corpus)
        self._summaries = RunSummaries()

    def parts(self) -> Iterable[Widget]:
        """The table above the curves of runs, and one line of what they mean."""
        yield RunsTable(id="runs")
        with Horizontal(id="run-curves"):
            yield TrainingPanel(id="run-training")
        yield MeaningLine(id="meaning")

    def on_mount(self) -> None:
        """Refresh the table at a steady pace, and its colours with the theme."""
        self.set_interval(REFRESH, self._refresh_if_seen)
        self.app.theme_changed_signal.subscribe(self, lambda _: self._refresh_if_seen())

    def _refresh_if_seen(self) -> None:
        if self in self.app.screen_stack:
            self.refresh_rows()
            self.meaning.show(self._findings(), keys.spoken("runs.explain"))

    def show_figures(self) -> None:
        """Header and panel; the table marks the run on screen."""
        super().show_figures()
        self.training.show(self.bridge.training)
        self.query_one("#run-curves").display = self.bridge.run is not None

    def on_resize(self) -> None:
        """Show the columns that fit, and put the figures of the run where there is room."""
        self.training.set_class(self.wide, "-beside")
        width = self.app.size.width
        left_out = (*(_WIDE_ONLY if width < WIDE else ()), *(_MEDIUM_ONLY if width < MEDIUM else ()))
        self.runs.show_columns(key for key in COLUMNS if key not in left_out)
        self.refresh_rows()

    def refresh_rows(self) -> None:
        """Add what is new, remove what is gone, update what changed."""
        self.runs.show(self._summaries.read(), self.bridge.run)

    def _findings(self) -> list[Finding]:
        """What the figures of the run on screen mean."""
        run, readings = self.bridge.run, self.bridge.readings
        return diagnose(readings, Surroundings.of(run)) if run and readings else []

    # --- actions ---------------------------------------------------------------

    def action_explain_run(self) -> None:
        """Explain the run on screen: its findings, its figures, its recipe."""
        if self.bridge.manifest is None:
            self.notify("no run is on screen", markup=False)
            return
        self.app.push_screen(ExplanationsBox(self._findings(), self.bridge.training, self.bridge.manifest))

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
        run = self.runs.selected
        if run is None:
            return False
        try:
            self.bridge.attach(run)
        except EXPECTED as error:
            self.refuse(error)
            return False
        return True

    def action_pause(self) -> None:
        if run := self.runs.selected:
            self.send_command("resume" if run.shown_state() == "paused" else "pause", run)

    def action_stop(self) -> None:
        """End the training, with a checkpoint."""
        if run := self.runs.selected:
            self.send_command("stop", run)

    @work(group="continue", exclusive=True)
    async def action_continue(self) -> None:
        """Train the run further from its last checkpoint."""
        if run := self.runs.selected:
            try:
                await self.bridge.continue_run(run)
            except EXPECTED as error:
                self.refuse(error)
            self.refresh_rows()

    @work(group="delete", exclusive=True)
    async def action_delete(self) -> None:
        """Move the run to the trash once that is confirmed."""
        run = self.runs.selected
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
        if run := self.runs.selected:
            self.post_message(ExportWanted(run.name))

    def action_new(self) -> None:
        self.action_new_run()

    def action_close(self) -> None:
        self.app.switch_mode("write")
