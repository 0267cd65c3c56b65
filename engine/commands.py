"""Giving commands to a run: made, checked, sent, and their answers read.

command = changed("learning_rate_scale", "0.5")
answers = Answers(run, [command])
send(run, command)
answers.read()   # [Acknowledged(...)], once the run has answered
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Iterable
from typing import Any, Literal, get_args

from ..data.storage.errors import UserError, sentence_of
from ..data.storage.typed_json import SchemaError
from ..models.recipe import MOST_SAMPLE_PROMPTS, Budget
from .events import TRAINING_EVENTS, Acknowledged, Command, CommandName, Settings
from .follow import LineFollower
from .runs import Run, RunError

SettingName = Literal["learning_rate_scale", "budget", "evaluation_interval", "sample_prompts"]
SETTINGS: tuple[SettingName, ...] = get_args(SettingName)
"""What of its recipe a run lets people change while it trains."""
LARGEST_SCALE = 1_000_000
MOST_STEPS = 10**12
LONGEST_PROMPT = 10_000  # characters


class Answers:
    """The answers of a run to some commands, whose ids are `waited_for`; made before they are sent: none is missed."""

    def __init__(self, run: Run, commands: Iterable[Command] = ()) -> None:
        self.waited_for = {command.id for command in commands}
        self._run, self._alive = run, True
        try:
            offset = run.metrics_path.stat().st_size
        except OSError:
            offset = 0
        # one byte back: where that is the end of a line an empty one is read first, else the rest of a torn one
        self._lines = LineFollower(run.metrics_path, max(0, offset - 1))

    def read(self) -> list[Acknowledged]:
        """Those that came since the last call."""
        self._alive = self._run.seems_alive()  # asked before the read: the last words of a process are not missed
        found: list[Acknowledged] = []
        while lines := self._lines.read():
            for line in lines:
                if b'"acknowledged"' not in line:
                    continue
                try:
                    event = TRAINING_EVENTS.decode(line)
                except SchemaError:
                    continue
                if isinstance(event, Acknowledged) and event.id in self.waited_for:
                    self.waited_for.remove(event.id)
                    found.append(event)
        return found

    @property
    def lost(self) -> str:
        """Why the answers that still lack will not come, in one sentence; empty while they may."""
        if not self.waited_for or self._alive:
            return ""
        return f"'{self._run.name}' did not answer: its process has ended, and it is {self._run.shown_state()}"


def new_command(name: CommandName, **fields: Any) -> Command:
    """A command of this moment, with an id of its own."""
    return Command(name, time=time.time(), id=secrets.token_hex(8), **fields)


def changed(name: SettingName, typed: str) -> Command:
    """The command that gives a setting the value that a person has typed.

    Raises UserError, with the range, for one that it cannot have. For the prompts use `prompted`.
    """
    match name:
        case "learning_rate_scale":
            return new_command(name, value=check_scale(_number(name, typed)))
        case "evaluation_interval":
            return new_command(name, value=check_interval(_number(name, typed)))
        case "budget":
            return new_command(name, text=Budget.parse(typed).written)
        case "sample_prompts":
            return prompted([typed])


def prompted(prompts: Iterable[str]) -> Command:
    """The command that gives a run other sample prompts. Raises UserError."""
    return new_command("sample_prompts", texts=check_prompts(prompts))


def present_settings(run: Run) -> Settings:
    """The settings in force: what status.json says of them, else what the recipe does. Raises RunError."""
    status, training = run.status(), run.manifest().training

    def or_recipe(value: Any, of_recipe: Any) -> Any:
        return of_recipe if value is None else value

    return Settings(
        step=status.step if status else 0,
        learning_rate_scale=or_recipe(status and status.learning_rate_scale, 1.0),
        budget=or_recipe(status and status.budget, training.budget.written),
        evaluation_interval=or_recipe(status and status.evaluation_interval, training.evaluation_interval),
        sample_prompts=or_recipe(status and status.sample_prompts, training.all_sample_prompts),
    )


def send(run: Run, command: Command) -> None:
    """Append the command to those of the run. Raises RunError where no process would read it."""
    if not run.is_alive():
        if last := run.last_host():
            raise RunError(
                f"'{run.name}' is trained on {last[0]}, which has not been heard of for more than a minute; give the "
                "command there"
            )
        raise RunError(f"'{run.name}' is not training: it is {run.state()}")
    try:
        run.send(command)
    except OSError as error:
        raise RunError(f"'{run.name}' can only be watched from here: {sentence_of(error)}") from error


def check_scale(value: float | None) -> float:
    """A scale of the learning rate. Raises UserError with the range."""
    if value is None or not 0 < value <= LARGEST_SCALE:
        given = "nothing" if value is None else f"{value:g}"
        raise UserError(
            f"the learning rate cannot be scaled by {given}; give a number above 0 and at most {LARGEST_SCALE:,}"
        )
    return value


def check_interval(value: float | None) -> int:
    """Steps between evaluations. Raises UserError with the range."""
    if value is None or not 0 <= value <= MOST_STEPS or value != int(value):
        given = "nothing" if value is None else f"{value:g}"
        raise UserError(
            f"there cannot be {given} steps between evaluations; give a whole number up to {MOST_STEPS:,}, or 0 to "
            "choose by time"
        )
    return int(value)


def check_prompts(prompts: Iterable[str]) -> tuple[str, ...]:
    """Sample prompts. Raises UserError with how many there may be, and how long."""
    found = tuple(prompts)
    if not 1 <= len(found) <= MOST_SAMPLE_PROMPTS:
        raise UserError(f"{len(found)} sample prompts are not possible; give 1 to {MOST_SAMPLE_PROMPTS}")
    if any(len(prompt) > LONGEST_PROMPT for prompt in found):
        raise UserError(f"a sample prompt is too long; it may have {LONGEST_PROMPT:,} characters")
    return found


def _number(name: SettingName, typed: str) -> float:
    try:
        value = float(typed.replace(",", "").replace("_", ""))
    except ValueError:
        value = math.nan
    if math.isnan(value):
        raise UserError(f"the {name.replace('_', ' ')} '{typed}' is not a number")
    return value
