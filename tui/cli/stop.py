"""The verb stop: end a training, saved or at once."""

from __future__ import annotations

import argparse
import sys
import time

from ...engine.commands import new_command, send
from ...engine.run_about import find_run
from ...engine.runs import RunError
from .exit_codes import DONE
from .options import add_run_argument

_POLL = 0.1  # seconds between looks at the run


def add_options(parser: argparse.ArgumentParser) -> None:
    add_run_argument(parser)
    parser.add_argument("--now", action="store_true", help="save nothing: what is on disk stays as it is")


def run(arguments: argparse.Namespace) -> int:
    """Ask the run to stop, and wait until it has."""
    run = find_run(arguments.run)
    if not run.is_alive():
        raise RunError(f"'{run.name}' does not train; it is {run.state()}")
    send(run, new_command("stop_now" if arguments.now else "stop"))
    while run.is_alive():
        time.sleep(_POLL)
    if not (run.path / "run.json").exists():
        raise RunError(f"'{run.name}' was deleted or renamed while it was trained; its train process has ended")
    print(f"'{run.name}' is {run.state()}", file=sys.stderr)
    return DONE
