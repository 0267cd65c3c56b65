"""How fast this machine trains and generates, measured once and kept beside the logs: `minigpt-tui bench` writes it."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..data.storage.atomic import write_atomic
from ..data.storage.plain_files import read_plain
from ..data.storage.typed_json import SchemaError, dumps, loads
from ..models.config import ModelConfig, flops_per_token
from ..models.presets import PRESETS
from ..models.recipe import Budget, TrainingConfig
from .paths import state_dir
from .results import DeviceReport

_MOST_RECIPES = 30  # that are kept
_FARTHEST = 8.0  # times as much computing for a token up to which a pace says something of another
_SAME = 1.15  # and up to which two models of one shape, with other vocabularies, are as fast
# What decides how long an update takes, beside the model and the sequences.
_OF_PACE = (
    "batch_size", "micro_batch_size", "optimizer", "device", "dtype", "cuda_graph", "compile", "threads", "devices",
    "sharded", "deterministic",
)  # fmt: skip
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
class RecipeSpeed:
    """What a training of this shape was measured at beside the app, or why it was not."""

    model: ModelConfig
    training: TrainingConfig
    tokens_per_second: float | None = None
    batch_size: int = 0  # sequences of the measured updates
    note: str = ""  # why it was not measured


@dataclass(frozen=True)
class Pace:
    """How fast a training is expected to be here."""

    tokens_per_second: float
    measured_with: str = ""  # the preset from whose pace it is computed; empty where it was measured itself
    is_lower_bound: bool = False


@dataclass(frozen=True)
class MachineSpeed:
    """The speeds of the presets on one machine with one version of torch."""

    machine: str  # the host's name
    cpu: str
    device: DeviceReport
    date: str  # of the newest figures: ISO 8601, with the time zone
    presets: tuple[PresetSpeed, ...] = ()
    recipes: tuple[RecipeSpeed, ...] = ()  # the newest last
    times: dict[str, float] = field(default_factory=dict)  # where the seconds of the newest measurement went, by phase

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


def pace_of(model: ModelConfig, training: TrainingConfig, speed: MachineSpeed | None) -> Pace | None:
    """How fast this would train here, by what was measured; None where nothing like it was.

    What was measured for a model of about as much computing for each token is scaled by that.
    """
    if speed is None:
        return None
    flops = flops_per_token(model)
    for known in reversed(speed.recipes):
        scale = flops / flops_per_token(known.model)
        if known.tokens_per_second and is_alike(known, model, training):
            return Pace(known.tokens_per_second / scale, "", known.batch_size < training.batch_size)
    best: tuple[float, Pace] | None = None
    for measured in speed.presets:
        preset = PRESETS.get(measured.preset)
        if preset is None or not measured.training or training.devices > 1:
            continue
        shape = replace(preset.model, vocab_size=preset.usual_vocabulary)
        scale = flops / flops_per_token(shape)
        alike = is_alike(RecipeSpeed(shape, preset.training), model, training)
        pace = Pace(measured.training / scale, "" if alike else measured.preset, alike and measured.is_lower_bound)
        distance = 0.0 if alike else abs(math.log(scale)) + 1.0 * (preset.training.optimizer != training.optimizer)
        if distance <= math.log(_FARTHEST) and (best is None or distance < best[0]):
            best = distance, pace
    return best[1] if best else None


def is_alike(known: RecipeSpeed, model: ModelConfig, training: TrainingConfig) -> bool:
    """Whether a training takes as long for a token as the one that was measured, but for the vocabulary."""
    ratio = flops_per_token(model) / flops_per_token(known.model)
    same_shape = replace(known.model, vocab_size=0) == replace(model, vocab_size=0)
    same_way = all(getattr(known.training, name) == getattr(training, name) for name in _OF_PACE)
    return same_shape and same_way and 1 / _SAME < ratio < _SAME


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
        presets = (*kept, *(new for new in measured.presets if new.preset not in names))
        measured = replace(measured, presets=presets, recipes=(*before.recipes, *measured.recipes)[-_MOST_RECIPES:])
    write_atomic(speed_path(measured.machine), dumps(measured, indent=2) + "\n")
    return measured


def _measured(speed: PresetSpeed | None) -> bool:
    return speed is not None and speed.training is not None


def _compares(one: DeviceReport, other: DeviceReport) -> bool:
    """Whether figures of one device can stand beside those of the other."""
    return (one.torch, one.device_name, one.training_dtype) == (other.torch, other.device_name, other.training_dtype)
