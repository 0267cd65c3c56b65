"""The verb resume: go on with a run from its last checkpoint, or give it another budget."""

from __future__ import annotations

import argparse
import time

from ...engine.events import Command
from ...engine.follow import LineFollower
from ...engine.launch import move_corpus, start_training
from ...engine.run_about import find_run
from ...engine.runs import RunError
from ...engine.time_line import process_age
from ...models.config import ConfigError
from ...models.recipe import Budget
from .follow import follow, leave_detached
from .options import add_event_options, add_run_argument, with_message


def add_options(parser: argparse.ArgumentParser) -> None:
    add_run_argument(parser)
    parser.add_argument(
        "--devices", type=int, metavar="N", help="train with N processes this time (default: as the run was begun)"
    )
    parser.add_argument(
        "--budget",
        type=with_message(_budget_text),
        help="the whole run's budget from here on, as '5 minutes'; also of a run that trains or has finished",
    )
    parser.add_argument(
        "--corpus", metavar="PATH", help="where the run's text is now, if it has moved; the run remembers it"
    )
    add_event_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Resume the run and follow it to its end; a run that trains only takes the new budget."""
    run = find_run(arguments.run)
    run.manifest()  # a run that cannot be read is refused at once
    if arguments.devices is not None and arguments.devices < 1:
        raise ConfigError(f"devices is {arguments.devices}; it must be at least 1")
    if arguments.corpus is not None:
        run.check_not_trained()
        move_corpus(run, arguments.corpus)
    offset = run.metrics_path.stat().st_size if run.metrics_path.exists() else 0
    if not run.is_alive():
        start_training(
            run, resume=True, budget=arguments.budget or "", devices=arguments.devices,
            asked=time.time() - process_age(),
        )  # fmt: skip
    elif arguments.devices:
        raise RunError(f"'{run.name}' trains; stop it first, then resume it with {arguments.devices} processes")
    elif arguments.budget:
        run.send(Command("budget", time=time.time(), text=arguments.budget))
    else:
        run.check_not_trained()
    if arguments.detach:
        return leave_detached(run)
    return follow(run, LineFollower(run.metrics_path, offset), arguments.json)


def _budget_text(text: str) -> str:
    """The text as it is; the train process reads it again. Raises ConfigError."""
    Budget.parse(text)
    return text
