"""What watchers order while a run trains, carried out between two updates."""

from __future__ import annotations

import time
from typing import Protocol

from ....models.config import ConfigError
from ....models.recipe import Budget
from ...events import Command
from ..update.threads import Threads
from .commands import CommandReader
from .event_log import Journal
from .progress import Course
from .stop_request import StopRequest

_PAUSE = 0.05  # seconds between two looks at the commands of a paused run


class Steered(Protocol):
    """What the orders are given to: the trainer."""

    @property
    def course(self) -> Course:
        """Budget and learning rate."""
        ...

    def save(self, astray_too: bool = True) -> None:
        """Keep the run as it stands, or say why not; a run that may be diverging only if that is wanted."""
        ...

    def evaluate(self) -> None:
        """Tell the validation loss."""
        ...

    def sample(self) -> None:
        """Show what the model writes."""
        ...


class Steering:
    """Reads the commands of a run and has the trainer follow them; the journal has the answers."""

    def __init__(self, commands: CommandReader, stop: StopRequest, journal: Journal, threads: Threads) -> None:
        self._commands, self._stop, self._journal, self._threads = commands, stop, journal, threads
        self._waiting: list[Command | str] = []
        self._paused = False

    def listen(self) -> bool:
        """Take in what was appended to commands.jsonl, and say if there is anything; a stop counts at once."""
        new = self._commands.read()
        self._waiting += new
        self._stop.requested |= any(isinstance(order, Command) and order.name == "stop" for order in new)
        return bool(self._waiting)

    def obey(self, trainer: Steered) -> None:
        """Carry out what was ordered; a pause lasts until the order to resume or to stop."""
        while self._waiting or (self._paused and not self._stop.requested):
            while self._waiting:
                self._carry_out(self._waiting.pop(0), trainer)
            if self._paused:
                time.sleep(_PAUSE)
                self.listen()

    def _carry_out(self, order: Command | str, trainer: Steered) -> None:
        if isinstance(order, str):
            self._journal.note(order, "warning")
            return
        match order.name:
            case "pause":
                self._pause(trainer)
            case "resume":
                self._resume()
            case "stop":
                self._paused = False  # `listen` has asked for the stop
            case "save":
                trainer.save()
            case "sample":
                trainer.sample()
            case "evaluate":
                trainer.evaluate()
            case "scale_learning_rate":
                self._scale_learning_rate(order.value, trainer.course)
            case "threads":
                self._set_threads(order.value)
            case "budget":
                self.change_budget(order.text, trainer)

    def _pause(self, trainer: Steered) -> None:
        if not self._paused:
            self._paused = True
            trainer.save()
            self._journal.state("paused")

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            self._journal.state("running")

    def _scale_learning_rate(self, factor: float | None, course: Course) -> None:
        if factor is None or not 0 < factor <= 1000:
            self._journal.note(f"the learning rate cannot be scaled by {factor}; give a number above 0", "warning")
            return
        course.learning_rate_scale *= factor
        self._journal.note(f"the learning rate is now {course.learning_rate_scale:g} times the schedule's")

    def _set_threads(self, number: float | None) -> None:
        try:
            self._journal.note(self._threads.change(number))
        except ValueError as refusal:
            self._journal.note(str(refusal), "warning")

    def change_budget(self, text: str, trainer: Steered) -> None:
        """Let the run, and its learning rate, follow another budget from here on, counted from the run's beginning.

        It is saved at once, so that whoever resumes the run finds it. One that is spent already changes nothing.
        """
        course, before = trainer.course, trainer.course.budget
        try:
            course.budget = Budget.parse(text)
        except ConfigError as error:
            self._journal.note(str(error), "warning")
            return
        if course.progress >= 1:
            self._journal.note(
                f"a budget of {course.budget} is spent already, because it counts from the run's beginning; it stays "
                f"at {before}",
                "warning",
            )
            course.budget = before
            return
        self._journal.note(f"the budget is now {course.budget}; the learning rate follows it from here on")
        trainer.save(astray_too=False)
