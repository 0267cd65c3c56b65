"""The verb bench: how fast this machine trains and generates with each preset, and what each would take here."""

from __future__ import annotations

import argparse
import datetime
import platform
from typing import Any

from ...data.storage.typed_json import dumps, from_plain
from ...engine.child_process import python_module
from ...engine.machine_speed import MachineSpeed, PresetSpeed, keep_speed
from ...engine.results import DeviceReport
from ...models.cpu import cpu_name
from ...models.presets import PRESETS
from ..text import formatting
from .child import run_to_end
from .console import Console, show, table_of
from .exit_codes import DONE, INTERRUPTED
from .options import with_message

_SECONDS = 25.0  # of measuring; the process that measures takes some more to start


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Measure this machine in half a minute: tokens a second in training and in generation for each preset that "
        "fits, and what its whole budget would take here. The result is kept for the form of a new run."
    )
    parser.add_argument(
        "--preset", action="append", choices=list(PRESETS), metavar="PRESET", help="only this one; may be repeated"
    )
    parser.add_argument(
        "--seconds", type=with_message(_seconds), default=_SECONDS, metavar="X",
        help=f"how long to measure, all presets together (default {_SECONDS:g})",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")


def run(arguments: argparse.Namespace) -> int:
    """Measure, keep and print; Ctrl-C ends it with what is measured so far."""
    measured = _Measured()
    command = python_module("minigpt_tui.engine.training.speed_process", "--seconds", str(arguments.seconds))
    for name in arguments.preset or ():
        command += ["--preset", name]
    code = DONE
    try:
        code, _ = run_to_end(command, "starting", measured.take)
    except KeyboardInterrupt:
        code = INTERRUPTED
    if measured.device is None or not measured.presets:
        return code
    speed = MachineSpeed(
        machine=platform.node(),
        cpu=cpu_name(),
        device=measured.device,
        date=datetime.datetime.now().astimezone().isoformat(timespec="minutes"),
        presets=tuple(measured.presets),
        times=measured.times,
    )
    keep_speed(speed)
    if arguments.json:
        print(dumps(speed, indent=2))
    else:
        _print(speed)
    return code


class _Measured:
    """The results that the process has printed so far."""

    def __init__(self) -> None:
        self.device: DeviceReport | None = None
        self.presets: list[PresetSpeed] = []
        self.times: dict[str, float] = {}

    def take(self, line: dict[str, Any]) -> None:
        """One more line of it."""
        if "device" in line:
            self.device = from_plain(DeviceReport, line["device"])
        elif "preset" in line:
            self.presets.append(from_plain(PresetSpeed, line["preset"]))
        elif "times" in line:
            self.times = from_plain(dict[str, float], line["times"])


def _print(speed: MachineSpeed) -> None:
    table = table_of(
        "preset", "size", "training", "its budget", "takes here", "generation", whole=("preset", "training")
    )
    for preset in speed.presets:
        at_least, at_most = ("≥ ", "≤ ") if preset.is_lower_bound else ("", "")
        budget = PRESETS[preset.preset].training.budget
        cells = [preset.preset, formatting.parameters(preset.parameters)]
        if preset.training is None:
            cells += ["", formatting.budget(budget), preset.note, ""]
        else:
            takes = formatting.duration(preset.budget_seconds) + " for 1M tokens of text" * (budget.unit == "epochs")
            cells += [
                at_least + formatting.rate(preset.training), formatting.budget(budget),
                takes if budget.unit == "minutes" else at_most + takes, formatting.rate(preset.generation),
            ]  # fmt: skip
        table.add_texts(*cells)
    show(table)
    console = Console(stderr=True)
    device = speed.device
    console.print(f"{device.device_name}, {device.training_dtype}, torch {device.torch}", style="dim", markup=False)
    if speed.times:
        phases = ", ".join(f"{phase} {seconds:.1f}" for phase, seconds in speed.times.items())
        total = sum(speed.times.values())
        console.print(f"{total:.1f} seconds in all: {phases}", style="dim", markup=False, soft_wrap=True)
    if any(preset.is_lower_bound and preset.training for preset in speed.presets):
        console.print(
            "≥ and ≤: measured with fewer sequences at a time than the preset trains with, which is slower; "
            "more --seconds come nearer",
            style="dim", soft_wrap=True,
        )  # fmt: skip


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        raise ValueError(f"'{text}' is not a number") from None
    if not 0 < seconds <= 86_400:
        raise ValueError(f"seconds must be above 0 and at most 86,400, not {text}")
    return seconds
