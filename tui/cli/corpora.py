"""The verb corpora: the texts that are known by name."""

from __future__ import annotations

import argparse

from ...data.catalog import CATALOG
from ...data.storage.typed_json import dumps
from .console import show, table_of
from .exit_codes import DONE


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """The corpora known by name."""
    entries = [
        {"name": e.name, "description": e.description, "bytes": e.n_bytes, "url": e.url} for e in CATALOG.values()
    ]
    if arguments.json:
        print(dumps(entries, indent=2))
    else:
        table = table_of("corpus", "what it is", "from")
        for entry in entries:
            table.add_texts(entry["name"], entry["description"], entry["url"] or "built in")
        show(table)
    return DONE
