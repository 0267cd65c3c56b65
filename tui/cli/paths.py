"""The verb paths: where things lie on disk."""

from __future__ import annotations

import argparse

from ...data.storage.typed_json import dumps
from ...engine import paths
from .exit_codes import DONE


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Where things lie on disk."""
    places = {
        "runs": paths.runs_dir(), "trash": paths.trash_dir(), "cache": paths.cache_dir(),
        "settings": paths.config_dir(), "logs": paths.state_dir(),
    }  # fmt: skip
    if arguments.json:
        print(dumps({name: str(path) for name, path in places.items()}, indent=2))
    else:
        for name, path in places.items():
            print(f"{name:9}{path}")
    return DONE
