"""Carries out commands between two updates, and answers each of them.

Light: what a command does is the matter of the trainer.
"""

from __future__ import annotations

import time
from typing import Protocol

from ...events import Acknowledged, Command, Settings
from .commands import CommandReader, NoCommand
from .event_log import EventLog

_PAUSE = 0.05  # seconds between two polls of a paused run


class Refused(Exception):
    """A command is not carried out; the message is the sentence that says why."""


class Changeable(Protocol):
    """Settings that a command may change."""

    def change(self, command: Command) -> str:
        """Change what the command says; one sentence about it. Raises Refused."""
        ...

    def at(self, step: int) -> Settings:
        """The event that says what they are."""
        ...


class Commanded(Protocol):
    """What commands act on: the trainer."""

    @property
    def settings(self) -> Changeable:
        """What commands may change."""
        ...

    @property
    def step(self) -> int:
        """The updates so far."""
        ...

    def save(self) -> bool:
        """Write the checkpoint that the run is resumed from; whether that could be done."""
        ...

    def evaluate(self, *, counts: bool) -> float | None:
        """Compute the validation loss; None where a stop came. Only where it `counts` can it use up patience."""
        ...

    def sample(self) -> None:
        """Let the model write something."""
        ...

    def keep_changes(self) -> None:
        """See to it that a resumed run knows what was changed."""
        ...


class CommandHandler:
    """Takes the commands that wait, one after another; each is answered by an Acknowledged once it is carried out."""

    def __init__(self, commands: CommandReader, event_log: EventLog) -> None:
        self._commands, self._event_log = commands, event_log
        self._paused = self._stopping = False

    def handle(self, trainer: Commanded) -> None:
        """Carry out the commands that wait; a pause lasts until a resume or a stop."""
        while self._commands.poll() or (self._paused and not self._commands.stop_requested):
            while self._commands.poll():
                self._answer(self._commands.take(), trainer)
            trainer.keep_changes()
            if self._paused:
                time.sleep(_PAUSE)

    def carry_out(self, command: Command, trainer: Commanded) -> None:
        """Carry out one command as if it had been sent to the run."""
        self._answer(command, trainer)
        trainer.keep_changes()

    def _answer(self, line: Command | NoCommand, trainer: Commanded) -> None:
        accepted, text = False, ""
        try:
            if isinstance(line, NoCommand):
                raise Refused(line.problem)
            accepted, text = True, self._carry_out(line, trainer)
        except Refused as refusal:
            accepted, text = False, str(refusal)
        except Exception as error:  # such as a divergence, which the trainer goes on with
            accepted, text = False, f"it could not be done: {error}"
            raise
        finally:
            name = line.name if isinstance(line, Command) else ""
            self._event_log.emit(Acknowledged(trainer.step, line.id, name, text, accepted, time.time()))

    def _carry_out(self, command: Command, trainer: Commanded) -> str:
        """Do it, and say in one sentence what was done. Raises Refused."""
        match command.name:
            case "pause":
                return self._pause(trainer)
            case "resume":
                return self._resume()
            case "stop":
                self._stop()
                return "the training ends here and is saved"
            case "stop_now":
                self._stop()
                return "the training ends here; what is on disk stays as it is"
            case "save":
                return self._save(trainer)
            case "sample":
                trainer.sample()
                return "the model has written its samples"
            case "evaluate":
                return self._evaluate(trainer)
            case _:
                text = trainer.settings.change(command)
                self._event_log.emit(trainer.settings.at(trainer.step))
                return text

    def _save(self, trainer: Commanded) -> str:
        if not trainer.save():
            raise Refused("the checkpoint could not be saved; the run's notes say why")
        return f"saved at step {trainer.step:,}"

    def _evaluate(self, trainer: Commanded) -> str:
        loss = trainer.evaluate(counts=False)
        if loss is None:
            raise Refused("a stop has ended the evaluation")
        return f"the validation loss is {loss:.4f}"

    def _pause(self, trainer: Commanded) -> str:
        if self._paused:
            raise Refused("the training is paused already")
        self._paused = True
        try:
            saved = self._save(trainer)
        except Refused as refusal:  # it is paused all the same
            saved = str(refusal)
        self._event_log.state("paused")
        return f"the training is paused; {saved}"

    def _resume(self) -> str:
        if not (self._paused or self._stopping):
            raise Refused("the training is not paused")
        self._paused = self._stopping = False
        self._event_log.state("running")
        return "the training goes on"

    def _stop(self) -> None:
        self._paused, self._stopping = False, True  # the reader has set `stop_requested`


def answer_waiting(commands: CommandReader, event_log: EventLog, step: int) -> None:
    """Answer the commands that came too late for a training that has ended: it is stopped, and does nothing else."""
    while commands.poll():
        line, name, text, accepted = commands.take(), "", "the training has ended", False
        if isinstance(line, Command):
            name, accepted = line.name, line.name in ("stop", "stop_now")
        else:
            text = line.problem
        event_log.emit(Acknowledged(step, line.id, name, text, accepted, time.time()))
