"""The command line of the benches. Light: what does the work is imported when it begins."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from .generation_rows import ROWS as GENERATION_ROWS
from .rows import ROWS


@dataclass(frozen=True)
class Kind:
    """A kind of bench: what it is, its options, and the module of this package whose `run` does it."""

    help: str
    add_options: Callable[[argparse.ArgumentParser], None]
    module: str


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


def _train_options(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Train beside nanoGPT: how fast, how well. Without names the rows that this machine can do: with a GPU those "
        "for a GPU, else those for a CPU."
    )
    parser.add_argument("row", nargs="*", type=_row, metavar="ROW", help=f"what to measure: {', '.join(ROWS)}")
    parser.add_argument("--list", action="store_true", help="say what each row is, and measure nothing")
    parser.add_argument("--nanogpt", metavar="PATH", help="a checkout of nanoGPT, to be measured in turns with ours")
    parser.add_argument(
        "--with-long-peers", action="store_true", help="let nanoGPT also train where that takes many minutes"
    )
    parser.add_argument(
        "--corpus", metavar="FILE", help="a file or folder to learn from (default: tinyshakespeare, downloaded once)"
    )
    add_repeats(parser, 3)


def _generation_options(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Generate beside transformers, llama.cpp and nanoGPT, as far as they are there, from the same weights, and "
        "beside what this machine's memory allows. Without names the rows that this machine can do: with a GPU those "
        "for a GPU, else those for a CPU."
    )
    rows = ", ".join(GENERATION_ROWS)
    parser.add_argument("row", nargs="*", type=_generation_row, metavar="ROW", help=f"what to measure: {rows}")
    parser.add_argument("--list", action="store_true", help="say what each row is, and measure nothing")
    parser.add_argument("--nanogpt", metavar="PATH", help="a checkout of nanoGPT, to be measured in turns with ours")
    parser.add_argument(
        "--model", metavar="MODEL",
        help="whose loss in int8 is compared (default: a model that is trained for some seconds)",
    )  # fmt: skip
    parser.add_argument("--text", metavar="FILE", help="the text of that loss (default: unseen `tales`)")
    add_repeats(parser, 5)


def _generation_row(name: str) -> str:
    if name not in GENERATION_ROWS:
        raise argparse.ArgumentTypeError(f"there is no row '{name}'; there are: {', '.join(GENERATION_ROWS)}")
    return name


def _row(name: str) -> str:
    if name not in ROWS:
        raise argparse.ArgumentTypeError(f"there is no row '{name}'; there are: {', '.join(ROWS)}")
    return name


KINDS: dict[str, Kind] = {
    "train": Kind("seconds, losses and tokens a second of training", _train_options, "training"),
    "generate": Kind("tokens a second, and the time to the first", _generation_options, "generation"),
}
