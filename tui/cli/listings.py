"""The verbs runs, corpora and paths: what there is, as a table for people or JSON for programs."""

from __future__ import annotations

import json
import time
from typing import Any

from rich import box
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ...data.catalog import CATALOG
from ...engine import paths, runs
from ...engine.runs import Run, RunError
from ...models.presets import PRESETS
from .. import formatting
from .console import Console
from .main import DONE

_UNBOUNDED = 1 << 12  # columns
_WHOLE = ("run", "state", "train", "val")  # columns that are never broken: names to copy, figures to compare


def list_runs(as_json: bool) -> int:
    """All runs, the newest first."""
    rows = [_row(run) for run in runs.list_runs()]
    if as_json:
        print(json.dumps(rows, indent=2))
    elif not rows:
        Console(stderr=True).print("no runs yet; train one with: minigpt-tui train tales", markup=False)
    else:
        table = _table("run", "state", "step", "train", "val", "preset", "corpus", "made")
        for row in rows:
            total = f"/{row['total_steps']}" if row["total_steps"] else ""
            table.add_row(
                *map(Text, (row["name"], row["state"], f"{row['step']}{total}", _loss(row["train_loss"]),
                            _loss(row["validation_loss"]), row["preset"], row["corpus"], _when(row["created"])))
            )  # fmt: skip
        _show(table)
    return DONE


def list_corpora(as_json: bool) -> int:
    """The corpora known by name."""
    entries = [
        {"name": e.name, "description": e.description, "bytes": e.n_bytes, "url": e.url} for e in CATALOG.values()
    ]
    if as_json:
        print(json.dumps(entries, indent=2))
    else:
        table = _table("corpus", "what it is", "from")
        for entry in entries:
            table.add_row(Text(entry["name"]), Text(entry["description"]), Text(entry["url"] or "built in"))
        _show(table)
    return DONE


def list_presets(as_json: bool) -> int:
    """The recipes, in the order of the table."""
    recipes = list(PRESETS.values())
    if as_json:
        rows = [
            {
                "name": recipe.name, "parameters": recipe.parameters() or None, "tokenizer": recipe.tokenizer,
                "budget": str(recipe.training.budget), "description": recipe.description, "source": recipe.source,
            }
            for recipe in recipes
        ]  # fmt: skip
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return DONE
    console, width = Console(), max(len(recipe.name) for recipe in recipes) + 2
    for recipe in recipes:
        size = recipe.parameters()
        tokenizer = "" if recipe.tokenizer == "huggingface" else recipe.tokenizer  # a fine-tuning has its model's
        parameters = formatting.parameters(size) if size else ""
        figures = f"{parameters:>6}  {tokenizer:<6}{formatting.budget(recipe.training.budget)}"
        console.print(Text.assemble((f"{recipe.name:<{width}}", "bold"), figures))
        console.print(Padding(Text.assemble(recipe.description, (f" ({recipe.source})", "dim")), (0, 0, 0, 4)))
    return DONE


def list_paths(as_json: bool) -> int:
    """Where things lie on disk."""
    places = {
        "runs": paths.runs_dir(), "trash": paths.trash_dir(), "cache": paths.cache_dir(),
        "settings": paths.config_dir(), "logs": paths.state_dir(),
    }  # fmt: skip
    if as_json:
        print(json.dumps({name: str(path) for name, path in places.items()}, indent=2))
    else:
        for name, path in places.items():
            print(f"{name:9}{path}")
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


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in _WHOLE)
    return table


def _show(table: Table) -> None:
    """On a terminal as wide as that is; elsewhere each row stays on its line, for whatever reads it."""
    console = Console()
    console.print(table) if console.is_terminal else Console(width=_UNBOUNDED).print(table, crop=False)


def _loss(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _when(created: float | None) -> str:
    return "" if created is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(created))
