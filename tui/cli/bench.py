"""The verb bench: measure this machine."""

from __future__ import annotations

import argparse

from ...engine.bench.command import run
from ...engine.bench.options import add_bench_options

__all__ = ["add_options", "run"]


def add_options(parser: argparse.ArgumentParser) -> None:
    add_bench_options(parser)
