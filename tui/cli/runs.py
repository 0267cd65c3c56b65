"""The verb runs: what was trained, listed, shown, compared, named, steered, taken elsewhere, deleted."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any

from ...data.storage.typed_json import dumps, to_plain
from ...engine.diagnosis.readings import Readings
from ...engine.diagnosis.rules import Finding, diagnose
from ...engine.diagnosis.surroundings import Surroundings
from ...engine.run_about import About, change_about, find_run, rename_run, tags_of
from ...engine.run_filter import FIGURES, matching, value_of
from ...engine.run_summary import RunSummaries, RunSummary, changes, summary_of
from ...engine.run_trash import restore_run, trash_run
from ...engine.runs import Run, RunError
from ..run_words import last_heard
from ..text import formatting
from ..widgets.run_columns import COLUMNS, ordered
from .console import Console, show, table_of
from .exit_codes import DONE
from .run_commands import add_command_actions, change, give
from .run_events import add_export_options, add_tail_options, export, tail

_LAST_LINES = 5  # of the log of a run that crashed


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.description = "What was trained. Without an action it lists all runs, the newest first."
    parser.add_argument("--json", action="store_true", help="print JSON")
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    listing = actions.add_parser("list", help="the runs, the newest first")
    listing.add_argument(
        "words", nargs="*", metavar="WORD",
        help=f"only runs with this in name, text or note; '#tag'; 'preset=quick'; 'loss<1.6' ({', '.join(FIGURES)})",
    )  # fmt: skip
    listing.add_argument("--sort", choices=COLUMNS, metavar="COLUMN", help=f"by one of {', '.join(COLUMNS)}")
    listing.add_argument("--reverse", action="store_true", help="the other way around")
    shown = actions.add_parser("show", help="all that is known of a run")
    compared = actions.add_parser("compare", help="what differs between runs, and what came of it")
    compared.add_argument("runs", metavar="RUN", nargs="+", help="two or more")
    rename = actions.add_parser("rename", help="give a run a name; its folder keeps its own")
    tag = actions.add_parser("tag", help="give a run tags instead of those that it has")
    note = actions.add_parser("note", help="write a note to a run")
    tailed = actions.add_parser("tail", help="what a run has told, one event a line")
    for action in (shown, rename, tag, note, tailed):
        action.add_argument("run", metavar="RUN", help="its name or folder")
    rename.add_argument("name", metavar="NAME", help="'' for that of its folder")
    tag.add_argument("tags", metavar="TAG", nargs="*", help="words by which it is found; none removes all")
    note.add_argument("text", metavar="TEXT", help="'' removes it")
    add_tail_options(tailed)
    add_export_options(exported := actions.add_parser("export", help="the curves of runs as a file"))
    exported.add_argument("runs", metavar="RUN", nargs="+", help="one or more")
    delete = actions.add_parser("delete", help="move runs to the trash")
    delete.add_argument("runs", metavar="RUN", nargs="+")
    restore = actions.add_parser("restore", help="bring a run back from the trash")
    restore.add_argument("name", metavar="NAME", help="of the run, or of its folder in the trash")
    add_command_actions(actions)
    for action in actions.choices.values():
        action.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Carry out the action."""
    return _ACTIONS[arguments.action or "list"](arguments)


# --- list, show, compare --------------------------------------------------------------------------


def _list(arguments: argparse.Namespace) -> int:
    runs = matching(RunSummaries(Run.state).read(), " ".join(getattr(arguments, "words", [])))
    runs = ordered(runs, getattr(arguments, "sort", None) or "", reverse=getattr(arguments, "reverse", False))
    if arguments.json:
        print(dumps([_plain(run) for run in runs], indent=2))
    elif not runs:
        words = "no run is like that" if getattr(arguments, "words", []) else "no runs yet"
        Console(stderr=True).print(f"{words}; train one with: minigpt-tui train tales", markup=False)
    else:
        show(_table(runs))
    return DONE


def _table(runs: Sequence[RunSummary]):
    columns = ("run", "state", "step", "val", "best", "bits/B", "params", "preset", "corpus", "made", "changed", "tags")
    table = table_of(*columns, whole=("run", "state", "val", "best", "made"))
    for run in runs:
        status, manifest = run.status, run.manifest
        total = f"/{status.total_steps}" if status and status.total_steps else ""
        table.add_texts(
            run.name, run.state, f"{status.step if status else 0}{total}",
            _loss(status.validation_loss if status else None), _best(run), _loss(status and status.bits_per_byte),
            formatting.parameters(run.parameters) if run.parameters else "", manifest.preset if manifest else "?",
            manifest.corpus.name if manifest else "?", _when(manifest.created if manifest else None),
            ", ".join(map(str, run.changed)), " ".join(f"#{tag}" for tag in run.about.tags),
        )  # fmt: skip
    return table


def _show(arguments: argparse.Namespace) -> int:
    run = summary_of(find_run(arguments.run), Run.state)
    findings = _findings(run)
    if arguments.json:
        print(dumps(_plain(run) | {"meaning": [to_plain(finding) for finding in findings]}, indent=2))
        return DONE
    status, manifest = run.status, run.manifest
    facts = {"run": run.name, "folder": str(run.run.path), "state": run.state}
    if run.problem:
        facts["problem"] = run.problem
    if manifest is not None:
        facts |= {"made": _when(manifest.created), "preset": manifest.preset, "corpus": manifest.corpus.spec,
                  "tokenizer": manifest.tokenizer, "budget": str(manifest.training.budget)}  # fmt: skip
    if run.parameters:
        facts["parameters"] = f"{run.parameters:,}"
    if status is not None:
        facts |= {
            "step": f"{status.step:,}" + (f" of {status.total_steps:,}" if status.total_steps else ""),
            "train loss": _loss(status.train_loss), "validation loss": _loss(status.validation_loss),
            "best": _best(run), "bits per byte": _loss(status.bits_per_byte),
            "speed": formatting.rate(status.tokens_per_second) if status.tokens_per_second else "",
            "time": formatting.duration(status.seconds) if status.seconds else "", "reason": status.reason,
        }  # fmt: skip
    facts |= {"changed": ", ".join(map(str, run.changed)), "tags": " ".join(f"#{tag}" for tag in run.about.tags),
              "note": run.about.note}  # fmt: skip
    table = table_of("", "", whole=("",))
    for name, value in facts.items():
        if value:
            table.add_texts(name, value)
    for finding in findings:
        table.add_texts("meaning", str(finding))
    if run.state == "silent":
        table.add_texts("host", last_heard(run.run))
    if run.state == "crashed":
        table.add_texts("log", "\n".join(run.run.last_log_lines(_LAST_LINES)))
        table.add_texts("go on", f"minigpt-tui resume {run.run.name}")
    show(table)
    return DONE


def _findings(run: RunSummary) -> list[Finding]:
    """What its figures mean; nothing of a run that cannot be read."""
    if run.manifest is None:
        return []
    readings = Readings.read(run.run)
    readings.state = run.state
    return diagnose(readings, Surroundings.of(run.run))


def _compare(arguments: argparse.Namespace) -> int:
    if len(arguments.runs) < 2:
        raise RunError("one run cannot be compared; name two or more")
    runs = [summary_of(find_run(name)) for name in arguments.runs]
    first = runs[0].manifest
    names = list(dict.fromkeys(
        change.field for run in runs[1:] if first and run.manifest for change in changes(first, run.manifest)
    ))  # fmt: skip
    if arguments.json:
        rows = [{**_plain(run), "fields": {name: value_of(run, name) for name in names}} for run in runs]
        print(dumps(rows, indent=2))
        return DONE
    table = table_of("", *(run.name for run in runs))
    for name in names:
        table.add_texts(name, *(str(value_of(run, name) or "") for run in runs))
    table.add_section()
    table.add_texts("best loss", *map(_best, runs))
    table.add_texts("bits per byte", *(_loss(run.status and run.status.bits_per_byte) for run in runs))
    table.add_texts("parameters", *(f"{run.parameters:,}" if run.parameters else "" for run in runs))
    seconds = [run.status.seconds if run.status else None for run in runs]
    table.add_texts("time", *(formatting.duration(each) if each else "" for each in seconds))
    show(table)
    return DONE


# --- names, tags, notes ---------------------------------------------------------------------------


def _rename(arguments: argparse.Namespace) -> int:
    found = find_run(arguments.run)
    return _say(arguments, found, rename_run(found, arguments.name))


def _tag(arguments: argparse.Namespace) -> int:
    found = find_run(arguments.run)
    return _say(arguments, found, change_about(found, tags=tags_of(arguments.tags)))


def _note(arguments: argparse.Namespace) -> int:
    found = find_run(arguments.run)
    return _say(arguments, found, change_about(found, note=arguments.text))


def _say(arguments: argparse.Namespace, run: Run, about: About) -> int:
    if arguments.json:
        print(dumps({"run": run.name, **to_plain(about)}, indent=2))
    return DONE


# --- the trash ------------------------------------------------------------------------------------


def _delete(arguments: argparse.Namespace) -> int:
    folders = [trash_run(run) for run in [find_run(name) for name in arguments.runs]]
    if arguments.json:
        print(dumps([str(folder) for folder in folders], indent=2))
    else:
        print("\n".join(map(str, folders)))
    return DONE


def _restore(arguments: argparse.Namespace) -> int:
    run = restore_run(arguments.name)
    print(dumps({"run": run.name, "path": str(run.path)}, indent=2) if arguments.json else run.name)
    return DONE


# --- words ----------------------------------------------------------------------------------------


def _plain(run: RunSummary) -> dict[str, Any]:
    """The run for a program: what is not known is null."""
    status, manifest = run.status, run.manifest
    row: dict[str, Any] = {"name": run.run.name, "shown_name": run.name, "state": run.state, "path": str(run.run.path)}
    row |= {"step": status.step if status else 0, "total_steps": status.total_steps if status else None}
    for name in ("train_loss", "validation_loss", "best_validation_loss", "best_step", "bits_per_byte", "tokens",
                 "seconds", "tokens_per_second", "remaining"):  # fmt: skip
        row[name] = getattr(status, name, None)
    row |= {"parameters": run.parameters, "preset": "?", "corpus": "?", "created": None}
    if manifest is not None:
        row |= {"preset": manifest.preset, "corpus": manifest.corpus.name, "created": manifest.created}
    if run.problem:
        row["problem"] = run.problem
    row["changed"] = [to_plain(change) for change in run.changed]
    return row | {"tags": list(run.about.tags), "note": run.about.note, "group": run.about.group}


def _best(run: RunSummary) -> str:
    """The best validation loss and its step."""
    status = run.status
    if status is None or status.best_validation_loss is None:
        return ""
    return _loss(status.best_validation_loss) + (f" @ {status.best_step:,}" if status.best_step is not None else "")


def _loss(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _when(created: float | None) -> str:
    """The date; empty where there is none that a calendar has."""
    try:
        return "" if created is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(created))
    except (ValueError, OverflowError, OSError):
        return ""


_ACTIONS = {
    "list": _list, "show": _show, "compare": _compare, "rename": _rename, "tag": _tag, "note": _note, "tail": tail,
    "export": export, "delete": _delete, "restore": _restore, "set": change,
    **dict.fromkeys(("pause", "resume", "save", "evaluate", "sample"), give),
}  # fmt: skip
