"""The columns of the table of runs: what each says of a run, how it sorts, and how wide a window it needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from time import time
from typing import Any

from rich.cells import cell_len, set_cell_size

from ...engine.run_summary import RunSummary
from ..run_words import STATE_STYLES
from ..text import formatting

_STATES = list(STATE_STYLES)
_LEAST = 8  # cells of a column that is cut where the window is narrow


@dataclass(frozen=True)
class Column:
    """One column. `order` is None where nothing is known of a run: such runs come last in either order."""

    label: str
    cell: Callable[[RunSummary], str]
    order: Callable[[RunSummary], Any]
    window: int = 0  # cells of a window from which it is shown
    cut: bool = False  # to the width that the others leave


def columns_for(window: int) -> dict[str, Column]:
    """The columns that a window of this width has room for, by their names."""
    return {key: column for key, column in COLUMNS.items() if column.window <= window}


def ordered(runs: Iterable[RunSummary], key: str, *, reverse: bool = False) -> list[RunSummary]:
    """The runs sorted by a column; without one as they come."""
    if key not in COLUMNS:
        return list(runs)[:: -1 if reverse else 1]
    values = [(run, COLUMNS[key].order(run)) for run in runs]
    known = [pair for pair in values if pair[1] is not None]
    known.sort(key=lambda pair: pair[1], reverse=reverse)
    return [run for run, _ in known] + [run for run, value in values if value is None]


def fitted(rows: Mapping[str, Mapping[str, str]], labels: Mapping[str, str], width: int) -> dict[str, int]:
    """The most cells of each column that is cut, so that all fit into `width`, each with two cells beside it."""
    wanted = {
        key: max([cell_len(label), *(cell_len(row[key]) for row in rows.values())]) for key, label in labels.items()
    }
    cut = [key for key in labels if COLUMNS[key].cut]
    left = width - sum(2 + cells for key, cells in wanted.items() if key not in cut) - 2 * len(cut)
    limits = dict[str, int]()
    for number, key in enumerate(cut, 1):
        others = sum(min(wanted[other], _LEAST) for other in cut[number:])
        limits[key] = max(_LEAST, min(wanted[key], left - others))
        left -= limits[key]
    return limits


def shortened(text: str, cells: int | None) -> str:
    """The text, with an ellipsis where it takes more cells."""
    return text if cells is None or cell_len(text) <= cells else set_cell_size(text, max(0, cells - 1)).rstrip() + "…"


# --- what they say --------------------------------------------------------------------------------


def state_words(run: RunSummary) -> str:
    """A run's state; while it trains how much of its budget is used, and the time that is left."""
    style = STATE_STYLES[run.state]
    if run.state not in ("running", "paused") or run.fraction is None:
        return style.label
    used = f"{style.glyph} {formatting.percent(run.fraction)}"
    if run.state == "paused":
        return f"{style.label} {formatting.percent(run.fraction)}"
    remaining = run.status.remaining if run.status else None
    return used if remaining is None else f"{used} {formatting.duration(remaining)} left"


def _state_order(run: RunSummary) -> tuple[int, float]:
    remaining = run.status.remaining if run.status else None
    return _STATES.index(run.state), math.inf if remaining is None else remaining


def _step(run: RunSummary) -> str:
    status = run.status
    total = f" / {status.total_steps:,}" if status and status.total_steps is not None else ""
    return f"{status.step if status else 0:,}{total}"


def _best(run: RunSummary) -> str:
    status = run.status
    at = f" @ {status.best_step:,}" if status and status.best_step is not None else ""
    return formatting.loss(status.best_validation_loss if status else None) + at


def _figure(name: str) -> Callable[[RunSummary], float | None]:
    """A figure of status.json as the value that is sorted; NaN is unknown, which nothing can be compared with."""

    def value(run: RunSummary) -> float | None:
        figure = getattr(run.status, name, None)
        return None if figure is None or math.isnan(figure) else figure

    return value


def _age(run: RunSummary) -> str:
    made = run.manifest.created if run.manifest else None
    return formatting.UNKNOWN if made is None else formatting.duration(max(0, time() - made))


def _made(run: RunSummary) -> float | None:
    """Seconds since 1970, negative: the youngest run comes first."""
    made = run.manifest.created if run.manifest else None
    return None if made is None or math.isnan(made) else -made


def _changed(run: RunSummary) -> str:
    return formatting.one_line(", ".join(map(str, run.changed)) if run.manifest else "unreadable run.json")


def _tags(run: RunSummary) -> str:
    return formatting.one_line(" ".join(f"#{tag}" for tag in run.about.tags))


def _note(run: RunSummary) -> str:
    return formatting.one_line(run.about.note)


def _text(cell: Callable[[RunSummary], str]) -> Callable[[RunSummary], str | None]:
    """A text as the value that is sorted; where it is empty nothing is known."""
    return lambda run: cell(run).casefold() or None


COLUMNS = {
    "name": Column("run", lambda run: formatting.one_line(run.name), lambda run: run.name.casefold()),
    "state": Column("state", state_words, _state_order),
    "step": Column("step", _step, _figure("step"), 100),
    "best": Column("best @ step", _best, _figure("best_validation_loss")),
    "bits": Column("bits/B", lambda run: formatting.loss(_figure("bits_per_byte")(run)), _figure("bits_per_byte"), 100),
    "parameters": Column(
        "params", lambda run: formatting.parameters(run.parameters), lambda run: run.parameters, 100
    ),
    "speed": Column(
        "tok/s", lambda run: formatting.compact(_figure("tokens_per_second")(run)), _figure("tokens_per_second"), 100
    ),
    "time": Column("time", lambda run: formatting.duration(_figure("seconds")(run)), _figure("seconds"), 110),
    "age": Column("age", _age, _made, 160),
    "changed": Column("changed", _changed, _text(_changed), 80, cut=True),
    "tags": Column("tags", _tags, _text(_tags), cut=True),
    "note": Column("note", _note, _text(_note), 160, cut=True),
}  # fmt: skip
AGES = "age"  # what changes by itself
