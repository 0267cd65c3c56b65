"""What runs have told: their events one a line, and their curves as a file."""

from __future__ import annotations

import argparse
import csv
import io
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ...data.storage.atomic import write_atomic
from ...data.storage.typed_json import SchemaError, dumps, to_plain
from ...data.typed_path import typed_path
from ...engine.events import (
    TRAINING_EVENTS,
    Acknowledged,
    CheckpointSaved,
    Evaluation,
    LayerNorms,
    Note,
    Preparing,
    Sample,
    Settings,
    Started,
    StateChanged,
    Step,
    Times,
    TrainingEvent,
)
from ...engine.follow import LineFollower
from ...engine.history.tensorboard import require_tensorboard, write_tensorboard
from ...engine.run_about import find_run
from ...engine.runs import Run
from ..run_words import protocol_words, stage
from ..text import formatting
from .exit_codes import DONE, complain
from .options import with_message
from .run_charts import add_chart_options, export_chart

_POLL = 0.2  # seconds between looks at the run's events
_COLUMNS = ("run", "kind", "step", "seconds", "tokens", "train_loss", "validation_loss", "perplexity", "bits_per_byte",
            "learning_rate", "gradient_norm", "tokens_per_second", "memory", "mfu", "best")  # fmt: skip


def add_tail_options(parser: argparse.ArgumentParser) -> None:
    """What `tail` takes."""
    parser.add_argument("--follow", action="store_true", help="go on until the run ends")
    parser.add_argument(
        "--lines", type=with_message(_count), default=10, metavar="N", help="the last N (default: 10); 0 for all"
    )


def _count(text: str) -> int:
    """A number of lines. Raises ValueError."""
    if not text.isdecimal():
        raise ValueError(f"'{text}' is no number of lines; 0 shows all")
    return int(text)


def add_export_options(parser: argparse.ArgumentParser) -> None:
    """What `export` takes."""
    parser.add_argument(
        "--to", choices=("csv", "json", "tensorboard"), default="csv", help="the form of the figures (default: csv)"
    )
    parser.add_argument(
        "--output", type=Path, metavar="PATH", help="a file (default: standard output); of tensorboard, a folder"
    )
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    add_chart_options(parser)


# --- events ---------------------------------------------------------------------------------------


def events_of(run: Run) -> Iterator[TrainingEvent]:
    """What a run has told so far; lines that are no events are left out."""
    return _decoded(_all_lines(LineFollower(run.metrics_path)))


def _decoded(lines: Iterable[bytes]) -> Iterator[TrainingEvent]:
    for line in lines:
        try:
            yield TRAINING_EVENTS.decode(line)
        except SchemaError:
            continue


def tail(arguments: argparse.Namespace) -> int:
    """The last events of a run, and with `--follow` those to come until its process is gone."""
    run = find_run(arguments.run)
    follower = LineFollower(run.metrics_path)
    _print(_decoded(deque(_all_lines(follower), maxlen=arguments.lines or None)), arguments.json)
    while arguments.follow:
        alive = run.seems_alive()  # asked before the read, so that the last lines are not missed
        _print(_decoded(_all_lines(follower)), arguments.json)
        if not alive:
            break
        time.sleep(_POLL)
    return DONE


def _all_lines(follower: LineFollower) -> Iterator[bytes]:
    while lines := follower.read():
        yield from lines


def _print(events: Iterable[TrainingEvent], as_json: bool) -> None:
    for event in events:
        print(TRAINING_EVENTS.encode(event) if as_json else f"{_words(event)}\n", end="", flush=True)


def _words(event: TrainingEvent) -> str:
    """One line for a person."""
    match event:
        case Step():
            left = f", {formatting.duration(event.remaining)} left" if event.remaining is not None else ""
            return f"step {event.step}: loss {event.loss:.4f}, {event.tokens_per_second:,.0f} tokens/s{left}"
        case Evaluation():
            best = ", the best so far" if event.best else ""
            return f"step {event.step}: validation loss {event.validation_loss:.4f} ({protocol_words(event)}){best}"
        case Sample():
            return f"step {event.step}: sample {formatting.one_line(event.prompt + event.text)}"
        case CheckpointSaved():
            return f"step {event.step}: {event.kind} checkpoint saved"
        case Times():
            phases = ", ".join(f"{phase} {part:.1f}" for phase, part in event.phases.items())
            seconds = sum(event.phases.values())
            return f"step {event.step}: {seconds:.1f} seconds in all: {formatting.one_line(phases)}"
        case StateChanged():
            return f"step {event.step}: {event.state}" + (f", {event.reason}" if event.reason else "")
        case Note():
            return f"step {event.step}: {formatting.one_line(event.text)}"
        case Started():
            return f"step {event.step}: {event.parameters:,} parameters on {event.device_name}, {event.dtype}"
        case Preparing():
            return stage(event)
        case Acknowledged():
            refused = "" if event.accepted else "refused: "
            return f"step {event.step}: {refused}{formatting.one_line(event.text)}"
        case Settings():
            every = f"every {event.evaluation_interval:,} steps" if event.evaluation_interval else "as time allows"
            return (
                f"step {event.step}: budget {event.budget}, learning rate {event.learning_rate_scale:g} times the "
                f"schedule's, evaluated {every}"
            )
        case LayerNorms():
            largest = max(event.updates, key=event.updates.__getitem__, default="")
            changed = f", the largest update in {largest}, {event.updates[largest]:.1e} of it" if largest else ""
            return f"step {event.step}: {len(event.weights)} layers measured{formatting.one_line(changed)}"


# --- curves ---------------------------------------------------------------------------------------


def export(arguments: argparse.Namespace) -> int:
    """The figures of each step and evaluation that was reported, as rows."""
    output = typed_path(str(arguments.output)) if arguments.output else None
    if arguments.chart:
        return export_chart(arguments, [find_run(name) for name in arguments.runs])
    if arguments.to == "tensorboard":
        return _export_tensorboard([find_run(name) for name in arguments.runs], output, arguments.force)
    if output is not None and output.exists() and not arguments.force:
        return complain(f"{output} is there already; --force replaces it, --output names another")
    rows = [row for name in arguments.runs for row in _rows(find_run(name))]
    content = dumps(rows, indent=2) + "\n" if arguments.json or arguments.to == "json" else _csv(rows)
    if output is None:
        print(content, end="")
    else:
        write_atomic(output, content, make_folder=False)
        print(output)
    return DONE


def _export_tensorboard(runs: Sequence[Run], output: Path | None, force: bool) -> int:
    """A folder in `output` for each run."""
    if output is None:
        return complain("TensorBoard reads a folder; name one with --output FOLDER")
    require_tensorboard()
    for run in runs:
        if (output / run.name).exists() and not force:
            return complain(f"{output / run.name} is there already; --force adds to it, --output names another")
    for run in runs:
        write_tensorboard(events_of(run), output / run.name)
        print(output / run.name)
    return DONE


def _rows(run: Run) -> Iterator[dict[str, Any]]:
    for event in events_of(run):
        if isinstance(event, (Step, Evaluation)):
            plain = to_plain(event)
            if isinstance(event, Step):
                plain["train_loss"] = plain.pop("loss")
            kind = "step" if isinstance(event, Step) else "evaluation"
            yield {"run": run.name, "kind": kind, **{name: plain.get(name) for name in _COLUMNS[2:]}}


def _csv(rows: list[dict[str, Any]]) -> str:
    out = io.StringIO()
    writer: csv.DictWriter[str] = csv.DictWriter(out, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
