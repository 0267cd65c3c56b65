"""How fast this machine trains and generates, measured once and kept beside the logs: `minigpt-tui bench` writes it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path

from ..data.storage.atomic import write_atomic
from ..data.storage.plain_files import read_plain
from ..data.storage.typed_json import SchemaError, dumps, loads
from ..models.recipe import Budget
from .paths import state_dir
from .results import DeviceReport

_EPOCH_TEXT = 1_000_000  # tokens of the text for which a budget in epochs is said


@dataclass(frozen=True)
class PresetSpeed:
    """What a preset was measured at, or why it was not."""

    preset: str
    parameters: int
    training: float | None = None  # tokens a second
    generation: float | None = None  # tokens a second of one reply
    batch_size: int = 0  # sequences of the measured updates
    whole_batch_size: int = 0  # sequences of the preset's own updates
    budget_seconds: float | None = None  # for the whole budget at this speed; see `budget_seconds`
    note: str = ""  # why something was not measured

    @property
    def is_lower_bound(self) -> bool:
        """Whether training is faster than `training` says.

        The optimizer takes as long for a few sequences as for a whole batch, so in updates of a few it weighs more.
        """
        return self.batch_size < self.whole_batch_size


@dataclass(frozen=True)
class MachineSpeed:
    """The speeds of the presets on one machine with one version of torch."""

    machine: str  # the host's name
    cpu: str
    device: DeviceReport
    date: str  # of the newest figures: ISO 8601, with the time zone
    presets: tuple[PresetSpeed, ...] = ()

    def of(self, preset: str) -> PresetSpeed | None:
        """The speed of that preset, None where it was not measured here."""
        return next((speed for speed in self.presets if speed.preset == preset), None)


def budget_seconds(budget: Budget, tokens_per_step: int, tokens_per_second: float) -> float:
    """How long a training takes that does `tokens_per_second`; in epochs, on a text of a million tokens."""
    match budget.unit:
        case "minutes":
            return 60 * budget.amount
        case "steps":
            tokens = budget.amount * tokens_per_step
        case "epochs":
            tokens = budget.amount * _EPOCH_TEXT
        case "tokens":
            tokens = budget.amount
    return tokens / tokens_per_second


def speed_path(machine: str) -> Path:
    """Where the speeds of the host of that name are kept: several may share a home."""
    name = "".join(character if character.isalnum() or character in "-_." else "-" for character in machine)
    return state_dir() / f"speed-{name or 'unnamed'}.json"


def read_speed(machine: str) -> MachineSpeed | None:
    """What was measured on that host; None where nothing was, or the file is damaged."""
    with contextlib.suppress(OSError, SchemaError):
        return loads(MachineSpeed, read_plain(speed_path(machine)))
    return None


def keep_speed(measured: MachineSpeed) -> MachineSpeed:
    """Write what was measured, with what is known of other presets on the same device by the same torch.

    Returns all that is known now. Raises OSError where it cannot be written.
    """
    before = read_speed(measured.machine)
    if before is not None and _compares(before.device, measured.device):
        fresh = {speed.preset: speed for speed in measured.presets}
        kept = [speed for speed in before.presets if speed.training and not _measured(fresh.get(speed.preset))]
        names = {speed.preset for speed in kept}
        measured = replace(measured, presets=(*kept, *(new for new in measured.presets if new.preset not in names)))
    write_atomic(speed_path(measured.machine), dumps(measured, indent=2) + "\n")
    return measured


def _measured(speed: PresetSpeed | None) -> bool:
    return speed is not None and speed.training is not None


def _compares(one: DeviceReport, other: DeviceReport) -> bool:
    """Whether figures of one device can stand beside those of the other."""
    return (one.torch, one.device_name, one.training_dtype) == (other.torch, other.device_name, other.training_dtype)
