"""What a run has told of its course: its figures over the steps, its evaluations, and what happened on the way."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, get_args

from ..events import (
    Acknowledged,
    CheckpointSaved,
    Evaluation,
    LayerNorms,
    Note,
    Started,
    StateChanged,
    Step,
    TrainingEvent,
)
from .binned_rows import BinnedRows, Column, Row

Axis = Literal["steps", "tokens", "seconds", "epochs"]
AXES: tuple[Axis, ...] = get_args(Axis)

PLACES = ("step", "tokens", "seconds")  # fields of Step that grow as the run goes on
FIGURES = ("loss", "learning_rate", "gradient_norm", "tokens_per_second", "mfu", "memory")  # and those that do not
EVALUATED = ("validation_loss", "train_loss", "bits_per_byte")  # fields of Evaluation

NORMS = ("weight_norm", "update_ratio")  # of a layer, from LayerNorms

MarkKind = Literal["best", "checkpoint", "resume", "state", "command", "note", "rate"]
_MOST_MARKS = 512  # of a kind; when there are more, every second one of them is left out
_MOST_LAYERS = 256


@dataclass(frozen=True)
class Mark:
    """Something that happened at a step, in one sentence; it may hold foreign text."""

    kind: MarkKind
    step: int
    text: str


class Curve(NamedTuple):
    """A figure in bins of one or more readings: where each begins, what was read, how many readings it has."""

    x: Sequence[float]
    column: Column
    counts: Sequence[int]


class RunHistory:
    """The course of one run in bounded memory, however long it is. `version` changes whenever anything was added."""

    def __init__(self, *, rows_per_bin: int = 1) -> None:
        self.steps = BinnedRows(len(PLACES), len(FIGURES), rows_per_bin=rows_per_bin)
        self.evaluations = BinnedRows(1, len(EVALUATED))
        self.layers: dict[str, BinnedRows] = {}  # by name: step, then NORMS
        self.best: Mark | None = None
        self.best_loss: float | None = None  # the lowest validation loss, in nats per token
        self.train_tokens: int | None = None
        self.entropy_floor: float | None = None
        self.version = 0
        self._curves: dict[tuple[str, Axis], tuple[int, Curve]] = {}
        self._marks: dict[MarkKind, list[Mark]] = {}
        self._sorted: list[Mark] = []
        self._sorted_at = 0
        self._started = False
        self._resumed_at: int | None = None
        self._rate = math.nan
        self._direction: int | None = None  # of the learning rate: 1 while it rises, -1 while it falls
        self._was: int | None = None

    @property
    def last_step(self) -> float | None:
        """The newest step that is known of."""
        return max((rows.last[0] for rows in (self.steps, self.evaluations) if rows.last is not None), default=None)

    @property
    def marks(self) -> list[Mark]:
        """What happened, in the order of the steps; of what happened very often, only every so many."""
        if self._sorted_at != self.version:
            marks = [mark for kind in self._marks.values() for mark in kind]
            self._sorted = sorted([*marks, *([self.best] if self.best else [])], key=lambda mark: mark.step)
            self._sorted_at = self.version
        return self._sorted

    def extend(self, rows: Sequence[Row]) -> None:
        """Add steps; each row is PLACES, then FIGURES, with NaN for what is not known."""
        if not rows:
            return
        self.version += 1
        if self._resumed_at is not None:
            self._forget_after(self._resumed_at)
            self._resumed_at = None
        self._mark_rates(rows)
        self.steps.extend(rows)

    def apply(self, event: TrainingEvent) -> None:
        """Take in an event of the run's file."""
        self.version += 1
        match event:
            case Step():
                self.extend([row_of(event)])
            case Evaluation() if event.step >= 0:
                self._evaluate(event)
            case Started():
                self._start(event)
            case CheckpointSaved():
                self._mark("checkpoint", event.step, f"checkpoint {event.kind}")
            case StateChanged() if event.state not in ("starting", "running"):
                reason = f": {event.reason}" if event.reason else ""
                self._mark("state", event.step, f"{event.state}{reason}")
            case Acknowledged() if event.accepted:
                self._mark("command", event.step, event.text)
            case LayerNorms() if event.step >= 0:
                self._measure_layers(event)
            case Note():
                self._mark("note", event.step, event.text)
            case _:
                self.version -= 1

    def curve(self, figure: str, axis: Axis) -> Curve:
        """One of FIGURES or EVALUATED over the run; its x are NaN where the unit of the axis is not known."""
        version, curve = self._curves.get((figure, axis), (-1, None))
        if curve is None or version != self.version:
            curve = self._curve(figure, axis)
            self._curves[figure, axis] = self.version, curve
        return curve

    def _curve(self, figure: str, axis: Axis) -> Curve:
        if figure in FIGURES:
            rows, column = self.steps, self.steps.figures[FIGURES.index(figure)]
            places = rows.places[0 if axis == "epochs" else AXES.index(axis)]
        else:
            rows, column = self.evaluations, self.evaluations.figures[EVALUATED.index(figure)]
            places = rows.places[0]
            if axis != "steps":
                return Curve([self.place(step, axis) for step in places], column, rows.counts)
        if axis == "epochs":
            tokens = self.train_tokens or math.nan
            return Curve([number / tokens for number in rows.places[1]], column, rows.counts)
        return Curve(places, column, rows.counts)

    def layer_curve(self, layer: str, norm: str, axis: Axis) -> Curve:
        """One of NORMS of a layer over the run."""
        rows = self.layers[layer]
        places = rows.places[0]
        x = places if axis == "steps" else [self.place(step, axis) for step in places]
        return Curve(x, rows.figures[NORMS.index(norm)], rows.counts)

    def place(self, step: float, axis: Axis) -> float:
        """Where a step lies on an axis, between the places that are known; NaN where its unit is not known."""
        if axis == "steps":
            return step
        if axis == "epochs":
            return self.place(step, "tokens") / (self.train_tokens or math.nan)
        rows, which = self.steps, AXES.index(axis)
        if rows.last is None:
            return 0.0
        steps, places = rows.places[0], rows.places[which]
        i = bisect_left(steps, step)
        before = (steps[i - 1], places[i - 1]) if i else (0.0, 0.0)
        after = (steps[i], places[i]) if i < len(steps) else (rows.last[0], rows.last[which])
        if after[0] <= before[0]:
            before = (0.0, 0.0)
        if after[0] <= before[0]:
            return after[1]
        return before[1] + (after[1] - before[1]) * (step - before[0]) / (after[0] - before[0])

    # --- events ---------------------------------------------------------------------------------

    def _start(self, event: Started) -> None:
        self.train_tokens = event.train_tokens if event.train_tokens > 0 else None
        self.entropy_floor = event.entropy_floor
        if self._started:
            self._mark("resume", event.step, f"resumed at step {event.step:,}")
        self._started, self._resumed_at, self._rate = True, event.step, math.nan
        # a resumed run repeats the steps after its checkpoint: they replace what was there, as they come
        self.steps.resume(event.step)
        self.evaluations.resume(event.step)
        for rows in self.layers.values():
            rows.resume(event.step)

    def _evaluate(self, event: Evaluation) -> None:
        version = self.evaluations.version
        train = math.nan if event.train_loss is None else event.train_loss
        self.evaluations.extend([(event.step, event.validation_loss, train, event.bits_per_byte)])
        if event.best and self.evaluations.version != version:
            self.best_loss = event.validation_loss
            self.best = Mark("best", event.step, f"best validation loss {event.validation_loss:.4f}")

    def _measure_layers(self, event: LayerNorms) -> None:
        for name, weight in event.weights.items():
            if name not in self.layers and len(self.layers) >= _MOST_LAYERS:
                continue
            rows = self.layers.setdefault(name, BinnedRows(1, len(NORMS)))
            rows.extend([(event.step, weight, event.updates.get(name, math.nan))])

    def _mark(self, kind: MarkKind, step: int, text: str) -> None:
        marks = self._marks.setdefault(kind, [])
        if marks and (marks[-1].step, kind) == (step, "checkpoint"):
            marks[-1] = replace(marks[-1], text=f"{marks[-1].text}, {text.removeprefix('checkpoint ')}")
            return
        marks.append(Mark(kind, step, text))
        if len(marks) > _MOST_MARKS:
            del marks[:-1:2]

    def _forget_after(self, step: int) -> None:
        """What happened after `step` is repeated; that it was resumed, and in what state it was, stays."""
        for kind in ("checkpoint", "command", "note", "rate"):
            self._marks[kind] = [mark for mark in self._marks.get(kind, []) if mark.step <= step]

    def _mark_rates(self, rows: Sequence[Row]) -> None:
        """Mark where the learning rate begins to rise, to fall or to stay, and where it jumps and goes on as before."""
        place = len(PLACES) + FIGURES.index("learning_rate")
        for row in rows:
            before, now = self._rate, row[place]
            if now == before and self._direction == 0:
                continue
            self._rate = now
            if not (math.isfinite(before) and math.isfinite(now)):
                continue
            change = now - before
            direction = 0 if abs(change) <= 1e-9 * abs(before) else 1 if change > 0 else -1
            if self._direction in (None, direction):
                self._direction = self._was = direction
            elif direction == self._was:  # a jump, after which it goes on as before
                self._direction = direction
            else:
                change = f"{before:.2g} → {now:.2g}" if direction else f"stays at {now:.2g}"
                self._mark("rate", int(row[0]), f"learning rate {change}")
                self._was, self._direction = self._direction, direction


def row_of(event: Step) -> tuple[float, ...]:
    """A step as a row."""
    return tuple(math.nan if (value := getattr(event, name)) is None else float(value) for name in (*PLACES, *FIGURES))
