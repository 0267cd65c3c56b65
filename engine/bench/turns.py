"""Contestants do the same work in turns, and what their figures say: medians, ranges, ratios.

A shared machine is fast in one minute and slow in the next. Figures that were taken one after the other compare
minutes; figures taken in turns compare contestants.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Figure = float | str  # a string is a fact beside the figures, such as the device
Better = Literal["lower", "higher"]
Average = Literal["median", "mean"]


class TurnFailedError(Exception):
    """A contestant could not do its work; one sentence that says why."""


@dataclass(frozen=True)
class Contestant:
    """Somebody who can do a piece of work, again and again.

    `run` does it once and returns its figures by name; its argument is the repeat, from 1 on, or 0 for a warm-up. What
    it raises makes the turn a failed one.
    """

    name: str
    run: Callable[[int], Mapping[str, Figure]]


@dataclass(frozen=True)
class Turn:
    """What one contestant did in one repeat: its figures, or why there are none."""

    contestant: str
    repeat: int
    figures: Mapping[str, Figure] = field(default_factory=dict)
    failure: str = ""


def take_turns(
    contestants: Sequence[Contestant],
    repeats: int,
    *,
    keep: Callable[[Turn], None],
    begin: Callable[[Contestant, int], None] = lambda contestant, repeat: None,
    warm_up: bool = False,
) -> None:
    """Let all contestants work once, then all once more, `repeats` times; `keep` receives each turn as it ends.

    A contestant that fails has a failed turn, and is asked again in the next repeat. With `warm_up` a repeat 0 goes
    before, whose turns are kept only where they failed. `begin` is told who works next.
    """
    for repeat in range(0 if warm_up else 1, repeats + 1):
        for contestant in contestants:
            begin(contestant, repeat)
            turn = _turn(contestant, repeat)
            if repeat > 0 or turn.failure:
                keep(turn)


def _turn(contestant: Contestant, repeat: int) -> Turn:
    try:
        return Turn(contestant.name, repeat, dict(contestant.run(repeat)))
    except Exception as error:  # a peer may fail in any way, and the others have not been measured yet
        own = type(error).__module__.startswith("minigpt_tui.")
        return Turn(contestant.name, repeat, failure=str(error) if own else f"{type(error).__name__}: {error}")


def figures(turns: Iterable[Turn], contestant: str, name: str) -> dict[int, float]:
    """The contestant's figures of that name by repeat; repeats that failed or lack the figure are absent."""
    found = {turn.repeat: turn.figures.get(name) for turn in turns if turn.contestant == contestant}
    return {repeat: value for repeat, value in found.items() if isinstance(value, (int, float))}


@dataclass(frozen=True)
class Summary:
    """The figures of several repeats in short."""

    median: float
    mean: float
    low: float
    high: float
    count: int


def summarise(values: Mapping[int, float]) -> Summary | None:
    """The summary of the figures; None where there are none."""
    if not values:
        return None
    found = list(values.values())
    return Summary(statistics.median(found), statistics.fmean(found), min(found), max(found), len(found))


@dataclass(frozen=True)
class Ratio:
    """How many times as good as the peer we are; above 1 is better than the peer."""

    of_medians: float
    by_turn: float | None  # the median of the ratios within each repeat; None where no repeat has both figures


def compare(ours: Mapping[int, float], theirs: Mapping[int, float], better: Better) -> Ratio | None:
    """The ratio of two contestants' figures; None where one has none, or a figure that nothing can be divided by."""
    if not ours or not theirs or not all((*ours.values(), *theirs.values())):
        return None
    above, below = (ours, theirs) if better == "higher" else (theirs, ours)
    both = [above[repeat] / below[repeat] for repeat in above if repeat in below]
    return Ratio(
        statistics.median(above.values()) / statistics.median(below.values()),
        statistics.median(both) if both else None,
    )
