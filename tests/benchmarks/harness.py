"""Candidates do the same work in turns, and every figure is kept, whatever ends the measuring.

A shared machine is fast in one minute and slow in the next. Figures taken one after the other compare minutes; figures
taken in turns compare candidates.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TextIO

from minigpt_tui.data.storage.errors import UserError, sentence_of

OURS = "ours"

Figure = float | str  # a string is a fact beside the figures, such as the device
Better = Literal["lower", "higher"]
Average = Literal["median", "mean"]


class TrialFailedError(UserError):
    """A candidate could not do its work; one sentence that says why."""


@dataclass(frozen=True)
class Candidate:
    """A program that does the work of a benchmark.

    `run` does it once and returns its figures by name; one called `gpu` names the device in the heading. Its argument
    is the repeat, from 1 on, or 0 for a warm-up. What it raises makes the trial a failed one.
    """

    name: str
    run: Callable[[int], Mapping[str, Figure]]


@dataclass(frozen=True)
class Trial:
    """What one candidate did in one repeat: its figures, or why there are none."""

    candidate: str
    repeat: int
    figures: Mapping[str, Figure] = field(default_factory=dict)
    failure: str = ""


@dataclass(frozen=True)
class Comparison:
    """A line of the table: one figure of ours, beside a peer's where there is one.

    A loss is compared by its difference and not by its ratio: `ratio=False`.
    """

    what: str  # in a few words
    figure: str  # its name among the figures of a trial
    unit: str
    peer: str = ""  # the name of a candidate
    ours: str = OURS  # the name of another one
    better: Better = "lower"
    ratio: bool = True
    target: str = ""
    by: Average = "median"
    limit: float | str | None = None  # what this machine allows at most; a string names that among our figures


@dataclass
class Benchmark:
    """A piece of work, who does it, what is compared, and the trials so far."""

    name: str
    candidates: list[Candidate]
    comparisons: list[Comparison]
    trials: list[Trial] = field(default_factory=list)

    @property
    def failures(self) -> list[Trial]:
        """The trials without figures."""
        return [trial for trial in self.trials if trial.failure]


class Harness:
    """Measures benchmarks one after the other; keeps them, and the notes that belong below their table."""

    def __init__(self, errors: TextIO | None = None) -> None:
        self.benchmarks: list[Benchmark] = []
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

    def measure(self, benchmark: Benchmark, repeats: int, *, warm_up: bool = False) -> Benchmark:
        """Run each candidate once, then each once more, `repeats` times, and keep each trial as soon as it ends.

        A candidate that fails has a failed trial, and is run again in the next repeat. With `warm_up` a repeat 0 goes
        before, whose trials are kept only where they failed.
        """
        self.benchmarks.append(benchmark)
        for repeat in range(0 if warm_up else 1, repeats + 1):
            for candidate in benchmark.candidates:
                which = f"repeat {repeat} of {repeats}" if repeat else "warm-up"
                self.say(f"{benchmark.name}, {which}: {candidate.name} ...")
                trial = _trial(candidate, repeat)
                if repeat > 0 or trial.failure:
                    benchmark.trials.append(trial)
                    self.say(f"{benchmark.name}, repeat {repeat}: {candidate.name}: {_shown(trial)}")
        return benchmark


def _trial(candidate: Candidate, repeat: int) -> Trial:
    try:
        return Trial(candidate.name, repeat, dict(candidate.run(repeat)))
    except UserError as error:
        return Trial(candidate.name, repeat, failure=sentence_of(error))
    except Exception as error:  # a peer may fail in any way, and the others have not been measured yet
        return Trial(candidate.name, repeat, failure=f"{type(error).__name__}: {error}")


def _shown(trial: Trial) -> str:
    if trial.failure:
        return f"failed: {trial.failure}"
    return ", ".join(f"{name} {_number(value)}" for name, value in trial.figures.items() if not isinstance(value, str))


def _number(value: float) -> str:
    return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
