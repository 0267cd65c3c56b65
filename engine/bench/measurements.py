"""What a bench measures: pieces of work, who does them, and all figures so far, whatever comes in between."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TextIO

from .turns import Average, Better, Contestant, Turn, take_turns

OURS = "ours"


@dataclass(frozen=True)
class Comparison:
    """A line of the table: one figure of ours, beside a peer's where there is one.

    A loss is compared by its difference and not by its ratio: `ratio=False`.
    """

    what: str  # in a few words
    figure: str  # its name among the figures of a turn
    unit: str
    peer: str = ""  # the name of a contestant
    ours: str = OURS  # the name of another one
    better: Better = "lower"
    ratio: bool = True
    target: str = ""
    by: Average = "median"
    limit: float | str | None = None  # what this machine allows at most; a string names that among our figures


@dataclass
class Work:
    """A piece of work that contestants do in turns."""

    name: str
    contestants: list[Contestant]
    comparisons: list[Comparison]
    turns: list[Turn] = field(default_factory=list)

    @property
    def failures(self) -> list[Turn]:
        """The turns without figures."""
        return [turn for turn in self.turns if turn.failure]


class Measurements:
    """One bench: the works it has begun, and the notes that belong below its table."""

    def __init__(self, errors: TextIO | None = None) -> None:
        self.works: list[Work] = []
        self.notes: list[str] = []
        self._errors = errors or sys.stderr

    def say(self, sentence: str) -> None:
        """Tell on standard error what is done just now."""
        print(sentence, file=self._errors, flush=True)

    def note(self, sentence: str) -> None:
        """A sentence below the table; said at once, too."""
        if sentence not in self.notes:
            self.notes.append(sentence)
            self.say(sentence)

    def measure(self, work: Work, repeats: int, *, warm_up: bool = False) -> Work:
        """Let the contestants of `work` take turns, and keep each turn as soon as it ends."""
        self.works.append(work)

        def begin(contestant: Contestant, repeat: int) -> None:
            self.say(f"{work.name}, {f'repeat {repeat} of {repeats}' if repeat else 'warm-up'}: {contestant.name} ...")

        def keep(turn: Turn) -> None:
            work.turns.append(turn)
            said = f"failed: {turn.failure}" if turn.failure else ", ".join(_shown(turn))
            self.say(f"{work.name}, repeat {turn.repeat}: {turn.contestant}: {said}")

        take_turns(work.contestants, repeats, keep=keep, begin=begin, warm_up=warm_up)
        return work


def _shown(turn: Turn) -> list[str]:
    return [f"{name} {_number(value)}" for name, value in turn.figures.items() if not isinstance(value, str)]


def _number(value: float) -> str:
    return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
