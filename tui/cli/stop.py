"""The verb stop: end a training, saved."""

from __future__ import annotations

import argparse
import sys
import time

from ...engine.events import Command
from ...engine.run_about import find_run
from ...engine.runs import RunError
from .exit_codes import DONE
from .options import add_run_argument

_POLL = 0.1  # seconds between looks at the run


def add_options(parser: argparse.ArgumentParser) -> None:
    add_run_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Ask the run to stop and save, and wait until it has."""
    run = find_run(arguments.run)
    if not run.is_alive():
        raise RunError(f"'{run.name}' does not train; it is {run.state()}")
    run.send(Command("stop", time=time.time()))
    while run.is_alive():
        time.sleep(_POLL)
    if not (run.path / "run.json").exists():
        raise RunError(f"'{run.name}' was deleted or renamed while it was trained; its train process has ended")
    print(f"'{run.name}' is {run.state()}", file=sys.stderr)
    return DONE
