"""Giving commands to one run and hearing what it answers: what the steering box shows, without the box."""

from __future__ import annotations

import time
from typing import NamedTuple

from ..engine.commands import Answers, SettingName, changed, present_settings, prompted, send
from ..engine.events import Acknowledged, Command
from ..engine.runs import Run
from .sampling_fields import TextsField

_PATIENCE = 10.0  # seconds without an answer, after which it is said why that may be
_PROMPTS = TextsField("sample_prompts", "", float, 0, "", ())
WORDS: dict[SettingName, tuple[str, str]] = {
    "learning_rate_scale": ("learning-rate scale", "times the schedule's rates"),
    "budget": ("budget", "steps, minutes, epochs or tokens"),
    "evaluation_interval": ("evaluation interval", "steps; 0 chooses by time"),
    "sample_prompts": ("sample prompts", r"text|text; \n is a new line"),
}
"""Of each setting its name, and what is written there."""


class Said(NamedTuple):
    """What the box says about a command."""

    text: str
    wrong: bool = False


class Steering:
    """The commands to one run. What a person typed is checked before it is sent."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._answers = Answers(run)
        self._waiting: dict[str, tuple[str, float]] = {}  # of each command, by its id, what was asked and when

    def values(self) -> dict[SettingName, str]:
        """The settings in force, as a person writes them."""
        now = present_settings(self.run)
        return {
            "learning_rate_scale": f"{now.learning_rate_scale:g}",
            "budget": now.budget,
            "evaluation_interval": str(now.evaluation_interval),
            "sample_prompts": _PROMPTS.text(now.sample_prompts),
        }

    def change(self, name: SettingName, typed: str) -> None:
        """Send a setting to the run. Raises UserError, with the range, for what it cannot be."""
        prompts = _PROMPTS.value(typed) or ("",)
        self.send(prompted(prompts) if name == "sample_prompts" else changed(name, typed))

    def send(self, command: Command) -> None:
        """Send a command to the run. Raises UserError where no process would read it."""
        self._answers.waited_for.add(command.id)
        try:
            send(self.run, command)
        except BaseException:
            self._answers.waited_for.discard(command.id)
            raise
        self._waiting[command.id] = (command.name.replace("_", " "), time.monotonic())

    def hear(self) -> list[Acknowledged]:
        """What the run has answered since."""
        heard = self._answers.read()
        for answer in heard:
            self._waiting.pop(answer.id, None)
        return heard

    def waiting(self) -> Said | None:
        """What is waited for, and why it may not come; None where all commands are answered."""
        if not self._waiting:
            return None
        if lost := self._answers.lost:
            return Said(lost, wrong=True)
        names = ", ".join(dict.fromkeys(name for name, _ in self._waiting.values()))
        seconds = time.monotonic() - min(since for _, since in self._waiting.values())
        if seconds < _PATIENCE:
            return Said(f"{names}: sent, waiting for the run")
        if host := self.run.other_host():
            why = f"it trains on {host}, and a copy of its folder takes no commands"
        else:
            why = "it may evaluate or save now, and answers after that"
        return Said(f"{names}: sent, no answer for {seconds:.0f} s; {why}", wrong=True)


def answered(answer: Acknowledged) -> Said:
    """An answer as the box says it."""
    refused = "" if answer.accepted else "refused: "
    return Said(f"step {answer.step:,}: {refused}{answer.text}", not answer.accepted)
