"""The verb runs: what was trained, and how far it came."""

from __future__ import annotations

import argparse
import time
from typing import Any

from ...data.storage.typed_json import dumps
from ...engine.runs import Run, RunError, list_runs
from .console import Console, show, table_of
from .exit_codes import DONE


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """All runs, the newest first."""
    rows = [_row(run) for run in list_runs()]
    if arguments.json:
        print(dumps(rows, indent=2))
    elif not rows:
        Console(stderr=True).print("no runs yet; train one with: minigpt-tui train tales", markup=False)
    else:
        columns = ("run", "state", "step", "train", "val", "best", "preset", "corpus", "made")
        table = table_of(*columns, whole=("run", "state", "train", "val", "best"))
        for row in rows:
            total = f"/{row['total_steps']}" if row["total_steps"] else ""
            table.add_texts(
                row["name"], row["state"], f"{row['step']}{total}", _loss(row["train_loss"]),
                _loss(row["validation_loss"]), _loss(row["best_validation_loss"]), row["preset"], row["corpus"],
                _when(row["created"]),
            )  # fmt: skip
        show(table)
    return DONE


def _row(run: Run) -> dict[str, Any]:
    status = run.status()
    row: dict[str, Any] = {"name": run.name, "state": run.state(), "path": str(run.path)}
    row |= {"step": status.step, "total_steps": status.total_steps} if status else {"step": 0, "total_steps": None}
    for name in ("train_loss", "validation_loss", "best_validation_loss"):
        row[name] = getattr(status, name, None)
    try:
        manifest = run.manifest()
        row |= {"preset": manifest.preset, "corpus": manifest.corpus.name, "created": manifest.created}
    except RunError as error:
        row |= {"preset": "?", "corpus": "?", "created": None, "problem": str(error)}
    return row


def _loss(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _when(created: float | None) -> str:
    """The date; empty where there is none that a calendar has."""
    try:
        return "" if created is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(created))
    except (ValueError, OverflowError, OSError):
        return ""
