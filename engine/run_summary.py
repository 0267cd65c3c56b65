"""What a list shows of each run: how far it is, its best loss, what was changed against the run before it. Light."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from itertools import zip_longest
from typing import Generic, TypeVar

from ..models.config import differing_fields, parameter_count
from ..models.recipe import TrainingConfig
from .events import ENDED_STATES
from .run_about import About, about
from .runs import Run, RunError, RunManifest, RunStatus, ShownState, list_runs

# Fields of the training that change nothing of what is learned.
_INDIFFERENT = {"checkpoint_interval", "checkpoint_history", "checkpoint_history_limit", "sample_interval",
                "sample_prompt", "sample_prompts", "sample_temperature", "device", "devices", "threads"}  # fmt: skip


@dataclass(frozen=True)
class Change:
    """A field in which a run differs from the one before it."""

    field: str
    before: str
    now: str

    def __str__(self) -> str:
        return f"{self.field} {self.before}→{self.now}"


@dataclass(frozen=True)
class RunSummary:
    """A run in a list. None stands for what is not known; losses are nats per token."""

    run: Run
    state: ShownState
    about: About
    status: RunStatus | None
    manifest: RunManifest | None  # None where run.json cannot be read
    problem: str = ""  # why it cannot
    changed: tuple[Change, ...] = ()  # against the run that was made before it

    @property
    def name(self) -> str:
        """The name that a person gave it, else that of its folder."""
        return self.about.name or self.run.name

    @property
    def parameters(self) -> int | None:
        """How many are trained."""
        if self.status is not None and self.status.parameters is not None:
            return self.status.parameters
        model = self.manifest.model if self.manifest else None
        return parameter_count(model) if model and model.vocab_size else None

    @property
    def fraction(self) -> float | None:
        """How much of its budget is used, 0 to 1; None where that is not known."""
        status = self.status
        if status is None:
            return None
        if self.state == "finished":
            return 1.0
        return used_fraction(status.step, status.total_steps, status.seconds or 0.0, status.remaining)


def used_fraction(step: int, total_steps: int | None, seconds: float, remaining: float | None) -> float | None:
    """How much of a budget is used, 0 to 1; by time where the budget is in minutes, None where nothing is known."""
    if total_steps:
        return min(1.0, max(0.0, step / total_steps))
    if remaining is not None and 0 < seconds + remaining < math.inf:
        return min(1.0, max(0.0, seconds / (seconds + remaining)))
    return None


def summary_of(run: Run, state_of: Callable[[Run], ShownState] = Run.shown_state) -> RunSummary:
    """The summary of one run, with what was changed against the run before it."""
    runs = list_runs()
    older = runs[runs.index(run) + 1 :] if run in runs else []
    return RunSummaries(state_of).summary(run, older[0] if older else None)


_Told = TypeVar("_Told")


class _File(Generic[_Told]):
    """What a file of each run says, which is read again where another file has taken its place or it was changed."""

    def __init__(self, name: str, read: Callable[[Run], _Told]) -> None:
        self._name, self._read = name, read
        self._told: dict[Run, tuple[tuple[int, ...] | None, _Told]] = {}

    def of(self, run: Run) -> _Told:
        signature = self._signature(run)
        if (known := self._told.get(run)) is None or known[0] != signature:
            known = self._told[run] = (signature, self._read(run))
        return known[1]

    def _signature(self, run: Run) -> tuple[int, ...] | None:
        try:
            stat = os.lstat(f"{run.path}/{self._name}")
        except OSError:
            return None
        return stat.st_ino, stat.st_size, stat.st_mtime_ns


class RunSummaries:
    """Reads the summaries again and again, of each run only the files that have changed: once a second, for long.

    A run that is as it was before has the same summary, the object itself. The state is what `state_of` says: Run.state
    raises UserError where the file system has no locks.
    """

    def __init__(self, state_of: Callable[[Run], ShownState] = Run.shown_state) -> None:
        self._state_of = state_of
        self._statuses = _File("status.json", Run.status)
        self._abouts = _File("about.json", about)
        self._manifests: dict[Run, RunManifest] = {}
        self._changes: dict[tuple[Run, Run], tuple[Change, ...]] = {}
        self._known: dict[Run, RunSummary] = {}

    def read(self, beside: Run | None = None) -> list[RunSummary]:
        """All runs, the newest first, and last the one `beside` them whose folder lies elsewhere."""
        return list(self.each(beside))

    def each(self, beside: Run | None = None) -> Iterator[RunSummary]:
        """The same one by one, for a reader that has other work in between."""
        runs = list_runs()
        for run, older in zip_longest(runs, runs[1:]):
            yield self.summary(run, older)
        if beside is not None and beside not in runs and (beside.path / "run.json").is_file():
            yield self.summary(beside)

    def summary(self, run: Run, older: Run | None = None) -> RunSummary:
        """One run, compared with an `older` one."""
        manifest, problem = self._manifest(run)
        changed = self._changed(run, older) if older else ()
        status = self._statuses.of(run)
        state = status.state if status is not None and status.state in ENDED_STATES else self._state_of(run)
        told = self._abouts.of(run)
        known = self._known.get(run)
        # each part is the same object for as long as its file is the same
        if (
            known is None
            or (known.state, known.problem) != (state, problem)
            or not (
                known.about is told
                and known.status is status
                and known.manifest is manifest
                and known.changed is changed
            )
        ):
            known = self._known[run] = RunSummary(run, state, told, status, manifest, problem, changed)
        return known

    def _manifest(self, run: Run) -> tuple[RunManifest | None, str]:
        if run not in self._manifests:
            try:
                self._manifests[run] = run.manifest()
            except RunError as error:
                return None, str(error)
        return self._manifests[run], ""

    def _changed(self, run: Run, older: Run) -> tuple[Change, ...]:
        key, (now, _), (before, _) = (run, older), self._manifest(run), self._manifest(older)
        if now is None or before is None:
            return ()
        if key not in self._changes:
            self._changes[key] = tuple(changes(before, now))
        return self._changes[key]


def changes(before: RunManifest, now: RunManifest) -> list[Change]:
    """The fields in which a run differs from another one, those that a person chooses first."""
    pairs: list[tuple[str, object, object]] = [
        ("preset", before.preset, now.preset),
        ("corpus", before.corpus.name, now.corpus.name),
        ("tokenizer", before.tokenizer, now.tokenizer),
        ("start_from", before.start_from, now.start_from),
    ]
    models = [name for name in differing_fields(before.model, now.model) if name != "vocab_size"]
    pairs += [(name, getattr(before.model, name), getattr(now.model, name)) for name in models]
    pairs += [
        (field.name, getattr(before.training, field.name), getattr(now.training, field.name))
        for field in fields(TrainingConfig)
        if field.name not in _INDIFFERENT
    ]
    return [Change(name, shown_value(old), shown_value(new)) for name, old, new in pairs if old != new]


def shown_value(value: object) -> str:
    """A field's value as a person would write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return "none" if value is None else str(value)
