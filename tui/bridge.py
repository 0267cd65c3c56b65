"""The only door to the engine: follows the run on screen, sends it orders, and lets its model speak.

Nothing here draws. What happens is posted as a message of messages.py; how things stand is in `training` and `model`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Literal

from textual.message import Message

from ..data.corpus import open_corpus
from ..data.storage.typed_json import SchemaError
from ..engine.client import start_training
from ..engine.events import TRAINING_EVENTS, CheckpointSaved, Command, Evaluation, Note, TrainingEvent
from ..engine.follow import LineFollower
from ..engine.model_files import ModelFile
from ..engine.runs import Run, RunError, RunManifest, ShownState, list_runs
from ..models.recipe import Recipe
from .found_models import FoundModel
from .generator import Generator
from .messages import ModelOpened, ModelReady, Notice, RunAttached, TrainingChanged, TrainingNote, TrainingState
from .state import ModelView, TrainingView

POLL_INTERVAL = 0.25  # seconds between two looks at the run's file
_SLICE = 2**16  # bytes of events taken in one go
_AT_ONCE = 0.4  # seconds that attaching may take before the rest of a very long file is left to the polls
_A_POLL = 0.1  # seconds that one poll may take, so that a long file never holds up the keyboard
_SELDOM = 8  # polls between two looks at the lock, and between two looks at a run that has ended

Order = Literal["pause", "resume", "stop", "save"]


class Bridge:
    """One run on screen, one model that speaks."""

    def __init__(self, post: Callable[[Message], object]) -> None:
        self._post = post
        self.generator = Generator(self._from_generator)
        self.run: Run | None = None
        self.manifest: RunManifest | None = None
        self.opened: ModelFile | None = None  # a model on disk that speaks instead of a run's
        self.state: ShownState | None = None
        self.training = TrainingView()
        self.model = ModelView()
        self._follower: LineFollower | None = None
        self._history = False  # whether the events being read happened before we attached
        self._refused = 0  # lines of this run that are not events
        self._polls = 0
        self._evaluated: dict[int, float] = {}  # validation loss of the run by step

    # --- runs -----------------------------------------------------------------------------------

    @property
    def trains(self) -> bool:
        """Whether the run on screen is alive, as far as we have heard."""
        return self.state in ("starting", "running", "paused")

    def attach(self, run: Run) -> None:
        """Show `run` from now on. Raises RunError where it cannot be read."""
        manifest = run.manifest()
        self.run, self.manifest, self.opened = run, manifest, None
        self.training = TrainingView(name=run.name)
        self.model = ModelView.of(manifest.name, manifest.model, manifest.tokenizer)
        self._follower, self._refused, self._history = LineFollower(run.metrics_path), 0, True
        self.state, self._evaluated = None, {}
        self._read(_AT_ONCE)
        self._look_at_state()
        self._post(RunAttached(run))
        self._post(TrainingChanged())
        self._load_checkpoint()

    def forget(self, run: Run) -> None:
        """`run` is deleted: show nothing where it was on screen."""
        if run != self.run:
            return
        self._detach()
        self.generator.unload()
        self._post(TrainingChanged())

    def _detach(self) -> None:
        self.run = self.manifest = self.state = self.opened = self._follower = None
        self.training, self.model, self._evaluated = TrainingView(), ModelView(), {}

    async def train(
        self, corpus: str, recipe: Recipe, name: str | None = None, start_from: ModelFile | None = None
    ) -> Run:
        """Make a run, show it and start its training; with the weights of `start_from`, or with new ones.

        Raises UserError or OSError; the screen still shows the run before then.
        """
        from ..engine.launch import new_run  # costs a start more than it is worth before anybody trains

        text = await asyncio.to_thread(open_corpus, corpus)
        run = await asyncio.to_thread(new_run, text, recipe, name, start_from=start_from)
        self.attach(run)
        await asyncio.to_thread(start_training, run, leave_core=True)
        return run

    async def continue_run(self, run: Run) -> None:
        """Train a run further that stopped or crashed, and show it. Raises RunError."""
        if run.checkpoint("last") is None:
            raise RunError(f"'{run.name}' has no checkpoint to continue from; start a new run instead")
        await asyncio.to_thread(start_training, run, resume=True, leave_core=True)
        if self.run != run:
            self.attach(run)

    def order(self, order: Order, run: Run | None = None) -> None:
        """Send an order to `run`, or to the run on screen. Raises RunError where no process would read it."""
        run = run or self.run
        if run is None:
            raise RunError("there is no run on screen; start one with ^T or open one with ^R")
        if not run.is_alive():
            raise RunError(f"'{run.name}' is not training: it is {run.state()}")
        try:
            run.send(Command(order, time=time.time()))
        except OSError as error:
            raise RunError(f"the order could not be written to {run.commands_path}: {error.strerror}") from error

    def poll(self) -> None:
        """Read what the run has written; called at a steady pace."""
        if self._follower is None:
            return
        self._polls += 1
        seldom = self._polls % _SELDOM == 0
        if (self.trains or self._history or seldom) and self._read(_A_POLL):
            self._post(TrainingChanged())
        if seldom and self.trains and self.run is not None and not self.run.is_alive():
            self._look_at_state()

    def _read(self, seconds: float) -> bool:
        """Fold in what the file holds beyond the last look, for about so long; whether there was anything."""
        assert self._follower is not None
        until = time.monotonic() + seconds
        anything = False
        while lines := self._follower.read(_SLICE):
            anything = True
            for line in lines:
                self._take_line(line)
            if time.monotonic() > until:
                return True
        self._history = False
        return anything

    def _take_line(self, line: bytes) -> None:
        try:
            event = TRAINING_EVENTS.decode(line)
        except SchemaError as error:
            self._refused += 1
            if self._refused == 1:
                self._post(Notice(f"a line of the run's events was skipped: {error}", "warning"))
            return
        self._take(event)

    def _take(self, event: TrainingEvent) -> None:
        self.training.apply(event)
        if isinstance(event, Evaluation):
            self._evaluated[event.step] = event.validation_loss
            self._judge_model()
        if self._history:
            return
        if self.training.state is not None:
            self._set_state(self.training.state)
        if isinstance(event, (Note, CheckpointSaved)):
            self._post(TrainingNote(event))
        if isinstance(event, CheckpointSaved):
            self._load_checkpoint()

    def _look_at_state(self) -> None:
        """The state as the lock and status.json tell it: that is how a crash shows itself."""
        if self.run is None:
            return
        status, state = self.run.status(), self.run.state()
        if state == "crashed":
            self.training.mark_crashed()
        elif state != self.training.state:
            self.training.state, self.training.reason = state, status.reason if status else ""
        self._set_state(state)

    def _set_state(self, state: ShownState) -> None:
        before, self.state = self.state, state
        if before not in (None, state):
            self._post(TrainingState(before, state))

    # --- the model ------------------------------------------------------------------------------

    def open(self, found: FoundModel) -> None:
        """Let this model speak; where it is a run's, show that run. Raises RunError where the run cannot be read."""
        file = found.file
        if file.run is not None:
            self.attach(file.run)
            return
        left = self.run.name if self.run and self.run.is_alive() else ""
        self._detach()
        self.training = TrainingView(idle="nothing trains here")
        self.opened, self.model = file, ModelView.of(file.name, found.config, found.tokenizer)
        self._post(ModelOpened(found, left))
        self.generator.load(file.path, follow=False)

    def _load_checkpoint(self) -> None:
        """Ask for the run's model as soon as there is one; the generate process follows it from then on."""
        if self.run is None or self.generator.path == str(self.run.path):
            return
        if self.run.checkpoint() is not None:
            self.generator.load(self.run.path, follow=True)
        else:
            self.generator.unload()

    def _judge_model(self) -> None:
        """Weights are saved before they are evaluated, so the loss of those that speak stands in the events."""
        if self.model.step is not None:
            self.model.validation_loss = self._evaluated.get(self.model.step, self.model.validation_loss)

    def _from_generator(self, message: Message) -> None:
        if isinstance(message, ModelReady):
            self.model.apply(message.loaded)
            self._judge_model()
        self._post(message)


def run_to_open() -> Run | None:
    """The run that a start of the app shows: the newest that trains, else the newest with a model."""
    runs = list_runs()
    alive = next((run for run in runs if run.is_alive()), None)
    return alive or next((run for run in runs if run.checkpoint() is not None), None)
