"""`benchmarks gpu-check`: everything that only a GPU can show, part by part; ends in one JSON file."""

from __future__ import annotations

import argparse
from pathlib import Path

from minigpt_tui.data.catalog import CATALOG, download
from minigpt_tui.data.storage.errors import UserError

from ..harness import OURS, Benchmark, Candidate, Harness
from ..machine import command_line, find_gpu, this_machine, today, versions
from ..report import json_line
from .parts import PARTS, Part


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `benchmarks gpu-check`."""
    parser.description = (
        "Run the tests that need a GPU, and measure training and decoding on it. Each part is a process of its own "
        "with a limit in seconds; one that fails is recorded, and the next one begins."
    )
    parser.add_argument("part", nargs="*", type=_known, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--corpus", metavar="FILE", help="Tiny Shakespeare (default: downloaded once)")
    parser.add_argument(
        "--output", type=Path, default=Path("gpu-check.json"), metavar="FILE",
        help="where all figures go, after each part (default: %(default)s)",
    )  # fmt: skip


def run(arguments: argparse.Namespace, harness: Harness) -> None:
    """Carry out the parts that are named, or all. Raises UserError, OSError."""
    gpu, date = find_gpu(), today()
    if not gpu:
        raise UserError("no GPU is found here, and all of this is measured on one")
    parts = [part for part in PARTS.values() if not arguments.part or part.name in arguments.part]
    text = arguments.corpus
    if text is None and any(part.needs_text for part in parts):
        text = str(download(CATALOG["tinyshakespeare"]))
    for part in parts:
        harness.measure(_benchmark(part, text), 1)
        machine = this_machine(gpu)
        line = json_line(harness, machine, versions(), date, command_line(), interrupted=part is not parts[-1])
        arguments.output.write_text(line + "\n", encoding="utf-8")


def _known(name: str) -> str:
    if name not in PARTS:
        raise argparse.ArgumentTypeError(f"there is no part '{name}'; there are: {', '.join(PARTS)}")
    return name


def _benchmark(part: Part, text: str | None) -> Benchmark:
    return Benchmark(part.name, [Candidate(OURS, lambda repeat: part.run(text))], list(part.comparisons))
