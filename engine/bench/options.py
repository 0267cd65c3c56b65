"""The command line of the benches. Light: what does the work is imported when it begins."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A kind of bench: what it is, its options, and the module of this package whose `run` does it."""

    help: str
    add_options: Callable[[argparse.ArgumentParser], None]
    module: str


KINDS: dict[str, Kind] = {}


def add_bench_options(parser: argparse.ArgumentParser) -> None:
    """The kinds of bench, each with its own options, as sub-commands of `parser`."""
    parser.description = (
        "Measure this machine with the engine, beside its peers where they are there. A table goes to standard output "
        "with one line of JSON last, which has every figure; what runs just now is told on standard error. Ctrl-C ends "
        "it with what was measured until then."
    )
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    for name, kind in KINDS.items():
        kind.add_options(kinds.add_parser(name, help=kind.help))


def positive(text: str) -> int:
    """A whole number of at least 1, as argparse reads it."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of at least 1")
    return int(text)


def add_repeats(parser: argparse.ArgumentParser, default: int) -> None:
    """The option that every kind has."""
    parser.add_argument(
        "--repeats", type=positive, default=default, metavar="N",
        help="how many turns each contestant has (default: %(default)s)",
    )  # fmt: skip
