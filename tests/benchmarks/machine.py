"""What machine the figures are of, in words; torch is asked in a process of its own."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import shlex
import sys
from dataclasses import dataclass
from pathlib import PurePath

from minigpt_tui.models.cpu import cpu_name, total_memory

from .harness import TrialFailedError
from .processes import output_of

_PACKAGES = ("minigpt-tui", "torch", "transformers", "llama-cpp-python")


@dataclass(frozen=True)
class Machine:
    """The hardware and the system; `gpu` is empty where there is none or nobody has asked."""

    cpu: str
    cores: int  # that this process may use
    memory: int  # bytes, 0 where the system does not say
    gpu: str
    system: str

    def __str__(self) -> str:
        """One line for people."""
        memory = f", {self.memory / 1e9:.0f} GB" if self.memory else ""
        gpu = f"; {self.gpu}" if self.gpu else ""
        return f"{self.cpu}, {self.cores} cores{memory}{gpu}; {self.system}"


def this_machine(gpu: str = "") -> Machine:
    """What machine runs here; `gpu` is what an engine process said it computes on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Machine(cpu_name(), cores, total_memory() or 0, gpu, f"{platform.system()} {platform.release()}")


def versions() -> dict[str, str]:
    """Python's version and those of the packages that matter, as far as they are installed; none is imported."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def today() -> str:
    """The date and minute, with the time zone."""
    return datetime.datetime.now().astimezone().isoformat(timespec="minutes")


def command_line() -> str:
    """The command as it was typed, without the interpreter's folder."""
    words = sys.orig_argv
    if len(words) > 1 and not words[1].startswith("-"):
        words = words[1:]  # a script goes by its own name
    return shlex.join([PurePath(words[0]).name, *words[1:]])


def find_gpu() -> str:
    """The name of the accelerator that the engine would choose, or nothing; a process of its own asks torch."""
    try:
        return output_of(__name__).strip()
    except TrialFailedError:
        return ""


def _print_accelerator() -> None:
    from minigpt_tui.models.devices import choose_device

    choice = choose_device()
    if choice.device.type != "cpu":
        print(choice.name)


if __name__ == "__main__":
    _print_accelerator()
