"""The train desk: all runs in a table that is kept up to date, and below it the losses of the run on screen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from textual import on, work
from textual.containers import Horizontal
from textual.getters import query_one
from textual.signal import Signal
from textual.widget import Widget
from textual.widgets import DataTable

from ...data.storage.errors import EXPECTED
from ...engine.diagnosis.rules import Finding, diagnose
from ...engine.diagnosis.surroundings import Surroundings
from ...engine.run_about import about, change_about, shown_name, tags_of
from ...engine.run_summary import RunSummaries
from ...engine.run_trash import restore_run, trash_run, trashed_runs
from ...engine.runs import Run
from ...engine.sample_index import SampleIndex
from ...models.recipe import Budget
from .. import keymap, keys
from ..bridge import Bridge
from ..messages import ExportWanted, RunsMarked
from ..run_checkpoints import checkpoints_of
from ..run_histories import RunHistories
from ..run_recipe import longer_budget
from ..text import formatting
from ..training_offer import BUILT_IN
from ..widgets.meaning_line import MeaningLine
from ..widgets.run_chart import RunChart
from ..widgets.runs_table import RunsTable
from ..widgets.samples_panel import SamplesPanel
from .desk import Desk
from .explanations import ExplanationsBox
from .line_box import LineBox
from .questions import Answer, Question
from .reference_box import ReferenceBox
from .samples import SamplesBox
from .steering_box import SteeringBox
from .trash_box import TrashBox

REFRESH = 1.0  # seconds
CURVES_REFRESH = 0.5
_SAMPLES = 0.25  # seconds between looks for new samples


class TrainDesk(Desk):
    """The runs, and the training of one of them."""

    NAME = "train"
    SCOPE = "train"
    BINDINGS = [*keymap.bindings("train"), *keymap.bindings("desk")]
    CSS_PATH = "../styles/train.tcss"
    AUTO_FOCUS = "#runs-table"

    runs = query_one("#runs", RunsTable)
    chart = query_one("#run-chart", RunChart)
    samples = query_one("#run-samples", SamplesPanel)
    meaning = query_one("#meaning", MeaningLine)

    def __init__(
        self, bridge: Bridge, figures_changed: Signal[None] | None, corpus: str | None, summaries: RunSummaries
    ) -> None:
        super().__init__(bridge, figures_changed, corpus)
        self._summaries = summaries
        self._histories = RunHistories()
        self._samples_shown = False  # in the place of the chart, where there is no room for both
        self._sample_index: SampleIndex | None = None

    def parts(self) -> Iterable[Widget]:
        """The table above the curves of runs, and one line of what they mean."""
        yield RunsTable(id="runs")
        with Horizontal(id="run-curves"):
            yield RunChart(id="run-chart")
            yield SamplesPanel(id="run-samples")
        yield MeaningLine(id="meaning")

    def on_mount(self) -> None:
        """Refresh the table at a steady pace."""
        self.set_interval(REFRESH, self._refresh_if_seen)
        self.set_interval(CURVES_REFRESH, self._show_curves_if_seen)
        self.set_interval(_SAMPLES, self._read_samples)

    def _refresh_if_seen(self) -> None:
        if self in self.app.screen_stack:
            self.refresh_rows()
            self.meaning.show(self._findings(), keys.spoken("runs.explain"))

    def on_screen_resume(self) -> None:
        """Show what has changed while another desk was on the screen."""
        self.show_curves()

    def _read_samples(self) -> None:
        """Look for what the first of the runs whose curves are drawn has written since."""
        if self not in self.app.screen_stack:
            return
        run, index = next(iter(self.shown_runs), None), self._sample_index
        if run is None or index is None or index.path != run.metrics_path:
            self._sample_index = index = SampleIndex(run.metrics_path) if run else None
            self.samples.show(index)
        if index and index.read():
            self.samples.show(index)

    def _arrange(self) -> None:
        """Curves and samples side by side, or one of them."""
        self.chart.display = self.wide or not self._samples_shown
        self.samples.display = self.wide or self._samples_shown

    def on_resize(self) -> None:
        """Show the columns that fit, and put the figures of the run where there is room."""
        self._arrange()
        self.runs.fit(self.app.size.width)
        self.refresh_rows()

    def refresh_rows(self) -> None:
        """Add what is new, remove what is gone, update what changed."""
        self.runs.show(self._summaries.read(beside=self.bridge.run), self.bridge.run)

    def _findings(self) -> list[Finding]:
        """What the figures of the run on screen mean."""
        run, readings = self.bridge.run, self.bridge.readings
        return diagnose(readings, Surroundings.of(run)) if run and readings else []

    def _show_curves_if_seen(self) -> None:
        if self in self.app.screen_stack:
            self.show_curves()

    def show_curves(self) -> None:
        """Draw the curves of the marked runs, of none marked that of the one under the cursor."""
        runs = self.shown_runs
        self.query_one("#run-curves").display = bool(runs)
        begun = any(run.shown_state() in ("starting", "running") for run in runs)
        self.chart.show(
            [(run.name, history) for run, history in self._histories.of(runs)],
            "waiting for the first step" if begun else "no step taken",
            names={run.name: shown_name(run) for run in runs},
        )

    @property
    def shown_runs(self) -> list[Run]:
        """The runs whose curves are drawn, the first of which the others are compared with."""
        run = self.runs.selected or self.bridge.run
        return self.runs.marked or ([run] if run else [])

    @on(DataTable.RowHighlighted)
    def _other_run(self) -> None:
        self.show_curves()

    @on(RunsMarked)
    def _other_runs(self) -> None:
        self.show_curves()
        self.runs.colour_runs(self.chart.colour_of)

    @on(RunChart.ReferencesWanted)
    def _references_wanted(self, event: RunChart.ReferencesWanted) -> None:
        self.app.push_screen(ReferenceBox(event.chart.references), partial(setattr, event.chart, "references"))

    # --- actions ---------------------------------------------------------------

    def action_explain_run(self) -> None:
        """Explain the run on screen: its findings, its figures, its recipe."""
        if self.bridge.manifest is None:
            self.notify("no run is on screen", markup=False)
            return
        self.app.push_screen(ExplanationsBox(self._findings(), self.bridge.training, self.bridge.manifest))

    def action_steer(self) -> None:
        """List the commands that the run under the cursor takes, with their present values."""
        run = self.runs.selected
        if run is None:
            return
        try:
            if not run.is_alive():
                self.notify(f"'{shown_name(run)}' takes no commands: it is {run.state()}", markup=False)
                return
            self.app.push_screen(SteeringBox(run, shown_name(run)))
        except EXPECTED as error:
            self.refuse(error)

    def action_samples(self) -> None:
        """Go to the samples, and back; where they have no room they take that of the figures."""
        shown = self._samples_shown if not self.wide else self.samples.has_focus
        self._samples_shown = not shown
        self._arrange()
        (self.runs.table if shown else self.samples).focus()

    @on(SamplesPanel.SideBySide)
    def _side_by_side(self, event: SamplesPanel.SideBySide) -> None:
        event.stop()
        if index := event.panel.index:
            self.app.push_screen(SamplesBox(index, *event.panel.place))

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

    # --- the table ------------------------------------------------------------------------------

    def action_mark(self) -> None:
        """Mark the run, or no more."""
        self.runs.toggle_mark()

    def action_mark_none(self) -> None:
        """No run is marked any more."""
        self.runs.mark_none()

    def action_filter(self) -> None:
        """Type which runs are to be seen."""
        self.runs.open_filter()

    def action_sort(self) -> None:
        """Sort by the next column."""
        self.runs.sort_by_next()

    def action_reverse(self) -> None:
        """Turn the order around."""
        self.runs.reverse()

    # --- names, tags, notes ---------------------------------------------------------------------

    def action_rename(self) -> None:
        """Give the run another name."""
        if run := self.runs.selected:
            self._ask("rename", "By this name the run is shown and found; its folder keeps its own.", shown_name(run),
                      lambda name: self.bridge.rename(run, name))  # fmt: skip

    def action_tag(self) -> None:
        """Give the run other tags."""
        if run := self.runs.selected:
            self._ask("tags", "Words by which the run is found, with blanks between them.", " ".join(about(run).tags),
                      lambda words: change_about(run, tags=tags_of(words)))  # fmt: skip

    def action_note(self) -> None:
        """Write a note to the run."""
        if run := self.runs.selected:
            self._ask("note", "What there is to remember of the run.", about(run).note,
                      lambda words: change_about(run, note=words))  # fmt: skip

    def _ask(self, title: str, text: str, value: str, take: Callable[[str], object]) -> None:
        self.app.push_screen(LineBox(title, text, formatting.one_line(value), take), lambda _: self.refresh_rows())

    # --- the trash ------------------------------------------------------------------------------

    @work(group="delete", exclusive=True)
    async def action_delete(self) -> None:
        """Move the marked runs, else the one under the cursor, to the trash once that is confirmed."""
        runs = self.runs.marked or [run for run in (self.runs.selected,) if run]
        if not runs:
            return
        named = f"'{shown_name(runs[0])}' with its checkpoints"
        if len(runs) > 1:
            named = f"{len(runs)} marked runs with their checkpoints ({', '.join(map(shown_name, runs))})"
        answer = await self.app.push_screen_wait(
            Question("delete", f"Move {named} to the trash folder?", [Answer("delete", "move to the trash", "d")])
        )
        if answer == "delete":
            for run in runs:
                self._trash(run)
            self.refresh_rows()

    def _trash(self, run: Run) -> None:
        try:
            folder = trash_run(run)
        except EXPECTED as error:
            self.refuse(error)
        else:
            self.bridge.forget(run)
            self.notify(f"'{run.name}' is in {folder}; {keys.spoken('runs.trash')} brings it back", markup=False)

    @work(group="trash", exclusive=True)
    async def action_trash(self) -> None:
        """Bring a run back from the trash."""
        runs = trashed_runs()
        if not runs:
            self.notify("There is no run in the trash.", markup=False)
            return
        chosen = await self.app.push_screen_wait(TrashBox(runs))
        if chosen is not None:
            try:
                restored = restore_run(chosen.folder.name)
            except EXPECTED as error:
                self.refuse(error)
            else:
                self.notify(f"'{restored.name}' is back", markup=False)
            self.refresh_rows()

    # --- elsewhere ------------------------------------------------------------------------------

    def action_export(self) -> None:
        """Ask the app for a file for llama.cpp."""
        if run := self.runs.selected:
            self.post_message(ExportWanted(run.name))

    def action_clone(self) -> None:
        """The form of a new run with the recipe of this one."""
        from .new_run import NewRunScreen

        if run := self.runs.selected:
            try:
                self.app.push_screen(NewRunScreen(self.bridge, like=run.manifest()))
            except EXPECTED as error:
                self.refuse(error)

    @work(group="continue", exclusive=True)
    async def action_extend(self) -> None:
        """Ask for a longer budget, and train the run on."""
        run = self.runs.selected
        if run is None:
            return
        try:
            await self._extend(run)
        except EXPECTED as error:
            self.refuse(error)
        self.refresh_rows()

    async def _extend(self, run: Run) -> None:
        status, chosen = run.status(), list[Budget]()
        before = (status and status.budget) or run.manifest().training.budget.written
        done = f" and has done {status.step:,} steps" if status else ""
        text = f"'{shown_name(run)}' was given {before}{done}. How long is the whole run to be?"
        box = LineBox("continue", text, before, lambda line: chosen.append(longer_budget(line, status)))
        if await self.app.push_screen_wait(box):
            await self.bridge.continue_run(run, chosen[-1].written)

    @work(group="fine-tune", exclusive=True)
    async def action_fine_tune(self) -> None:
        """The form of a new run that begins with a checkpoint of this one."""
        from .checkpoints import CheckpointsBox
        from .new_run import NewRunScreen

        run = self.runs.selected
        if run is None:
            return
        checkpoints = checkpoints_of(run)
        if not checkpoints:
            self.notify(f"'{shown_name(run)}' has no checkpoint yet.", severity="warning", markup=False)
            return
        folder: Path | None = checkpoints[0].folder
        if len(checkpoints) > 1:
            folder = await self.app.push_screen_wait(CheckpointsBox(checkpoints, "train further from"))
        if folder is not None:
            self.app.push_screen(NewRunScreen(self.bridge, str(folder), self._corpus or BUILT_IN))

    def action_new(self) -> None:
        self.action_new_run()

    def action_close(self) -> None:
        """Show all runs again where a filter hides some, else go to the write desk."""
        if not self.runs.clear_filter():
            self.app.switch_mode("write")
