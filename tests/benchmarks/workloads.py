"""Workloads by name: how a command line names them, which of them this machine can do, and how they are listed."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from minigpt_tui.data.storage.errors import UserError

from .harness import Harness
from .machine import find_gpu


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What can be measured: its name, and one line that says what it is."""

    name: str
    description: str
    needs_gpu: bool = False
    own_text: bool = False  # it needs a text that must be named, and is left out unless it is asked for

    @property
    def row(self) -> str:
        """Its line in a list."""
        return f"{self.name:20}{self.description}"


AnyWorkload = TypeVar("AnyWorkload", bound=Workload)


def add_options(parser: argparse.ArgumentParser, workloads: Mapping[str, Workload], repeats: int) -> None:
    """The options that every suite has."""

    def workload(name: str) -> str:
        if name not in workloads:
            raise argparse.ArgumentTypeError(f"there is no workload '{name}'; there are: {', '.join(workloads)}")
        return name

    parser.add_argument(
        "workload", nargs="*", type=workload, metavar="WORKLOAD", help=f"what to measure: {', '.join(workloads)}"
    )
    parser.add_argument("--list", action="store_true", help="say what each workload is, and measure nothing")
    parser.add_argument("--nanogpt", metavar="PATH", help="a checkout of nanoGPT, to be measured in turns with ours")
    parser.add_argument(
        "--repeats", type=_positive, default=repeats, metavar="N",
        help="how many trials each candidate has (default: %(default)s)",
    )  # fmt: skip


def choose(
    workloads: Mapping[str, AnyWorkload], names: list[str], harness: Harness, gpu: Callable[[], str] = find_gpu
) -> tuple[list[AnyWorkload], str]:
    """The workloads that are named, or all that this machine can do, in the order of the table; and the GPU's name.

    `gpu` is asked only where its answer matters. Raises UserError where one needs a GPU and there is none.
    """
    named = [workload for workload in workloads.values() if workload.name in names]
    if named and not any(workload.needs_gpu for workload in named):
        return named, ""
    harness.say("looking for a GPU ...")
    found = gpu()
    if not named:
        return [w for w in workloads.values() if w.needs_gpu == bool(found) and not w.own_text], found
    if not found:
        impossible = ", ".join(workload.name for workload in named if workload.needs_gpu)
        possible = ", ".join(workload.name for workload in workloads.values() if not workload.needs_gpu)
        raise UserError(f"no GPU is found here, which {impossible} cannot do without; for a CPU there are {possible}")
    return named, found


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of at least 1")
    return int(text)
