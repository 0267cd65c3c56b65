"""Follows the run on screen, sends it commands, and knows which model answers.

Nothing here draws. Changes are posted as messages of messages.py; `training` and `model` hold the present figures.
Replies do not pass through here: the conversation asks the generator itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from textual.message import Message

from ..data.storage.typed_json import SchemaError
from ..engine.commands import new_command, send
from ..engine.diagnosis.readings import Readings
from ..engine.events import (
    TRAINING_EVENTS,
    Acknowledged,
    CheckpointSaved,
    CommandName,
    Evaluation,
    Note,
    TrainingEvent,
)
from ..engine.failed_start import discard_failed_start
from ..engine.follow import LineFollower
from ..engine.requests import Loaded
from ..engine.run_about import rename_run, shown_name
from ..engine.runs import Run, RunError, RunManifest, ShownState
from ..models.recipe import Recipe
from . import keys, run_words
from .generator import Generator
from .messages import ModelOpened, Notice, RunAttached, RunForgotten, RunStateChanged
from .state import ModelView, TrainingView

if TYPE_CHECKING:
    from ..data.text_files import Reading
    from ..engine.model_files import ModelFile
    from ..engine.ready_process import ReadyProcess
    from .found_models import FoundModel

POLL_INTERVAL = 0.25  # seconds between two polls
_CHUNK = 2**16  # bytes of events read in one go
_LONG = 2**22  # bytes of events; of a file that has n times as many, one Step in n + 1 is drawn
_STEP, _NO_LOSS = b'{"event":"step"', b'"loss":null'
_ATTACH_SECONDS = 0.4  # that attaching may take before the rest of a very long file is left to the polls
_POLL_SECONDS = 0.1  # that one poll may take, so that a long file never holds up the keyboard
_LOCK_POLLS = 8  # polls between two checks of the lock, and of the file of a run that has ended

_SEEN = ("pause", "resume", "stop", "stop_now")  # commands that change the state, of which a notice comes anyway


class Bridge:
    """One run on screen, one model that answers."""

    def __init__(self, post: Callable[[Message], object], *, attach_seconds: float = _ATTACH_SECONDS) -> None:
        self._post = post
        self._attach_seconds = attach_seconds
        self.generator = Generator(post, self._model_loaded)
        self.run: Run | None = None
        self.manifest: RunManifest | None = None
        self.opened: ModelFile | None = None  # a model on disk that answers instead of a run's
        self.state: ShownState | None = None
        self.training = TrainingView()
        self.readings: Readings | None = None  # of the run on screen: what the rules look at
        self.model = ModelView()
        self._follower: LineFollower | None = None
        self._catching_up = False  # the events being read were written before we attached
        self._every_step = 1  # of those, one in so many is looked at
        self._refused_lines = 0  # lines of this run that are no events
        self._polls = 0
        self._begun: Run | None = None  # the run that was begun here last
        self._ready: ReadyProcess | None = None  # for the next run
        self._validation_losses: dict[int, float] = {}  # of the run, by step

    # --- runs -----------------------------------------------------------------------------------

    @property
    def is_training(self) -> bool:
        """Whether the run on screen is alive, by its last known state."""
        return self.state in ("starting", "running", "paused")

    def attach(self, run: Run) -> None:
        """Show `run` from now on. Raises RunError where it cannot be read."""
        manifest = run.manifest()
        self.run, self.manifest, self.opened = run, manifest, None
        name = shown_name(run)
        self.training, self.readings = TrainingView(name=name), Readings.of(manifest)
        self.model = ModelView.of(name, manifest.model, manifest.tokenizer)
        self._follower, self._refused_lines, self._catching_up = LineFollower(run.metrics_path), 0, True
        self.state, self._validation_losses = None, {}
        self._every_step = 1 + _size_of(run.metrics_path) // _LONG
        self._read_events(self._attach_seconds)
        self._update_state()
        self._post(RunAttached())
        self._load_checkpoint()

    def rename(self, run: Run, name: str) -> None:
        """Give a run another name to be shown by. Raises RunError, and OSError."""
        rename_run(run, name)
        if run == self.run:
            self.training.name = self.model.name = shown_name(run)

    def forget(self, run: Run) -> None:
        """`run` is deleted: show nothing if it was on screen."""
        if run != self.run:
            return
        self._detach()
        self.generator.unload()
        self._post(RunForgotten())

    def _discard_failed_start(self, run: Run | None) -> None:
        """Leave no run behind where nothing was trained, as soon as its process has ended."""
        if run and not run.is_alive():
            self._begun = None
            if discard_failed_start(run):
                self._post(Notice(f"nothing was trained; the folder of {run.name} is in the trash", lasting=True))
                self.forget(run)

    def _detach(self) -> None:
        self.run = self.manifest = self.state = self.opened = self._follower = None
        self.training, self.readings = TrainingView(), None
        self.model, self._validation_losses = ModelView(), {}

    def prepare_training(self) -> bool:
        """Have a process import torch for the next run, while nobody waits for it; False where one does already."""
        from ..engine.ready_process import ReadyProcess

        if self._ready is not None and self._ready.is_waiting:
            return False
        with contextlib.suppress(OSError):  # the run is started as any other then
            self._ready = ReadyProcess()
        return True

    def cancel_training(self) -> None:
        """End what was prepared for the next run."""
        if self._ready is not None:
            self._ready.close()
            self._ready = None

    def _take_prepared(self) -> ReadyProcess | None:
        ready, self._ready = self._ready, None
        return ready

    async def train(
        self,
        corpus: str,
        recipe: Recipe,
        name: str | None = None,
        start_from: ModelFile | None = None,
        *,
        reading: Reading | None = None,
        drop_unknown: bool = False,
    ) -> Run:
        """Make a run, show it and start its training; with the weights of `start_from`, or with new ones.

        Raises UserError or OSError: MarkupError and UnknownTextError for what is done only where a person asks for it.
        """
        from ..data.corpus import open_corpus  # as the next slow to import, and the first frame does not need it
        from ..data.text_files import DEFAULT_READING
        from ..engine.launch import new_run, start_training

        text = await asyncio.to_thread(open_corpus, corpus, reading=reading or DEFAULT_READING)
        run = await asyncio.to_thread(new_run, text, recipe, name, start_from=start_from, drop_unknown=drop_unknown)
        self._begun = run
        self.attach(run)
        try:
            await asyncio.to_thread(start_training, run, leave_core=True, ready=self._take_prepared())
        except RunError:
            if not run.path.exists():
                self.forget(run)
            raise
        return run

    async def continue_run(self, run: Run, budget: str = "") -> None:
        """Train a run further that stopped or crashed, and show it; with a `budget` for as long. Raises RunError."""
        from ..engine.launch import start_training

        if run.checkpoint("last") is None:
            raise RunError(f"'{run.name}' has no checkpoint to continue from; start a new run instead")
        run.manifest()
        ready = self._take_prepared()
        await asyncio.to_thread(start_training, run, resume=True, leave_core=True, budget=budget, ready=ready)
        if self.run != run:
            self.attach(run)

    def send_command(self, name: CommandName, run: Run | None = None) -> None:
        """Send a command to `run`, or to the run on screen. Raises RunError where no process would read it."""
        run = run or self.run
        if run is None:
            new, others = keys.spoken("run.new"), keys.spoken("desk.train")
            raise RunError(f"there is no run on screen; {new} starts one, {others} shows all runs")
        send(run, new_command(name))

    def poll(self) -> bool:
        """Read what the run has written since; called at a steady pace. Returns whether there was anything."""
        if self._follower is None:
            return False
        self._polls += 1
        check_lock = self._polls % _LOCK_POLLS == 0
        changed = (self.is_training or self._catching_up or check_lock) and self._read_events(_POLL_SECONDS)
        if check_lock and self.run is not None:
            is_gone = self.is_training and not self.run.seems_alive()
            if is_gone or (self.state == "silent" and self.run.seems_alive()):
                self._update_state()
        if self.state == "failed" and self.run == self._begun and not changed:
            self._discard_failed_start(self.run)
        return changed

    def _read_events(self, seconds: float) -> bool:
        """Apply the new lines of metrics.jsonl, for at most about `seconds`; return whether there were any."""
        assert self._follower is not None
        until = time.monotonic() + seconds
        changed = False
        while lines := self._follower.read(_CHUNK):
            changed = True
            for line in self._needed(lines):
                self._decode(line)
            if time.monotonic() > until:
                return True
        self._catching_up = False
        return changed

    def _needed(self, lines: Sequence[bytes]) -> Iterator[bytes]:
        """Of a very long file that was written before every so many Steps: no curve has as many places."""
        for number, line in enumerate(lines, 1):
            passed = self._catching_up and number % self._every_step and number < len(lines)
            if not (passed and line.startswith(_STEP) and _NO_LOSS not in line):
                yield line

    def _decode(self, line: bytes) -> None:
        try:
            event = TRAINING_EVENTS.decode(line)
        except SchemaError as error:
            self._refused_lines += 1
            if self._refused_lines == 1:
                self._post(Notice(f"a line of the run's events was skipped: {error}", "warning"))
            return
        self._apply(event)

    def _apply(self, event: TrainingEvent) -> None:
        self.training.apply(event)
        if self.readings is not None:
            self.readings.apply(event)
        if isinstance(event, Evaluation):
            self._validation_losses[event.step] = event.validation_loss
            self._update_model_loss()
        if self._catching_up:
            return
        if self.training.state is not None:
            self._set_state(self.training.state)
        match event:
            case Note():
                self._post(Notice(event.text, lasting=event.severity != "information"))
            case Acknowledged() if event.name not in _SEEN or not event.accepted:
                self._post(Notice(event.text, "information" if event.accepted else "warning"))
            case CheckpointSaved():
                self._load_checkpoint()
            case _:
                pass

    def _update_state(self) -> None:
        """Take the state from the lock and status.json: a process that crashed has written no event of it."""
        if self.run is None:
            return
        status, state = self.run.status(), self.run.shown_state()
        if self.readings is not None:
            self.readings.state = state
        if state == "crashed":
            self.training.mark_crashed()
        elif state == "silent":
            self.training.mark_silent(run_words.last_heard(self.run))
        elif state != self.training.state:
            self.training.state, self.training.reason = state, status.reason if status else ""
        self._set_state(state)

    def _set_state(self, state: ShownState) -> None:
        before, self.state = self.state, state
        if before not in (None, state):
            self._post(RunStateChanged(before, state))

    # --- the model ------------------------------------------------------------------------------

    def open(self, found: FoundModel) -> None:
        """Answer with this model; where it is a run's, show that run. Raises RunError where the run cannot be read."""
        file = found.file
        if file.run is not None:
            self.attach(file.run)
            return
        still_training = self.run.name if self.run and self.run.seems_alive() else ""
        self._detach()
        self.training = TrainingView(idle="nothing trains here")
        self.opened, self.model = file, ModelView.of(file.name, found.config, found.tokenizer)
        self._post(ModelOpened(found, still_training))
        self.generator.load(file.path, follow=False)

    def _load_checkpoint(self) -> None:
        """Load the run's model as soon as there is one; from then on the generate process looks for newer weights."""
        if self.run is None or self.generator.path == str(self.run.path):
            return
        if self.run.checkpoint() is not None:
            self.generator.load(self.run.path, follow=True)
        else:
            self.generator.unload()

    def _model_loaded(self, loaded: Loaded) -> None:
        self.model.apply(loaded)
        self._update_model_loss()

    def _update_model_loss(self) -> None:
        """Weights are saved before they are evaluated, so the loss of those in memory comes with a later event."""
        if self.model.step is not None:
            self.model.validation_loss = self._validation_losses.get(self.model.step, self.model.validation_loss)


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
