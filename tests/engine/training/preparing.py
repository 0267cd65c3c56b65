"""Trainers as the train process makes them, in the process that runs the tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from minigpt_tui.engine.events import Step, TrainingEvent
from minigpt_tui.engine.runs import Run
from minigpt_tui.engine.training.loop.commands import CommandReader, commands_size
from minigpt_tui.engine.training.loop.event_log import EventLog
from minigpt_tui.engine.training.loop.trainer import REPORT_INTERVAL, Trainer
from minigpt_tui.engine.training.setup import build_trainer

Watch = Callable[[TrainingEvent, CommandReader], None]


class WatchedEventLog(EventLog):
    """Calls a function with each event before it is written."""

    def __init__(self, run: Run, watch: Callable[[TrainingEvent], None]) -> None:
        super().__init__(run)
        self._watch = watch

    def emit(self, event: TrainingEvent) -> None:
        self._watch(event)
        super().emit(event)


def prepared(
    run: Run, resume: bool = False, watch: Watch | None = None, report_interval: float = REPORT_INTERVAL
) -> Trainer:
    """The trainer of a run; `watch` sees its events, and may ask for a stop."""
    commands = CommandReader(run, start=commands_size(run) if resume else 0)
    event_log = WatchedEventLog(run, lambda event: watch(event, commands)) if watch else EventLog(run)
    return build_trainer(
        run, resume=resume, leave_core=False, event_log=event_log, commands=commands, report_interval=report_interval
    )


def stop(commands: CommandReader) -> None:
    """As a signal does it."""
    commands.stop_requested = True


def kill(commands: CommandReader) -> None:
    """As an interruption does it that nothing expects."""
    raise KeyboardInterrupt


def at_steps(acts: Mapping[int, Callable[[CommandReader], object]]) -> Watch:
    """Let something happen after the update that makes a step, where every step is reported."""

    def watch(event: TrainingEvent, commands: CommandReader) -> None:
        if isinstance(event, Step) and event.step in acts:
            acts[event.step](commands)

    return watch
