"""What a run will come to, before it is made: its size, its tokens, its memory, its time, its loss. Light."""

from __future__ import annotations

import contextlib
import platform
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ..data.corpus import Corpus, split_position
from ..models.config import ModelConfig, parameter_count
from ..models.cpu import free_memory, total_memory
from ..models.memory import PROCESS, expected_memory, least_memory
from ..models.presets.measured import MeasuredLoss, measured_loss
from ..models.recipe import Recipe, TrainingConfig
from .launch import vocabulary_size
from .machine_speed import MachineSpeed, Pace, pace_of

Fit = Literal["safe", "tight", "too much"]

_SAFE = 0.8  # of the memory that is free now
_BYTES_PER_TOKEN = 3.3  # of English text, for GPT-2's tokenizer and for a BPE of 4,096 tokens: docs/benchmarks.md
_MOSTLY_ASCII = 1.05  # bytes for each character up to which a text counts as such
_GPU_FILES = ("/dev/nvidia0", "/dev/nvidiactl", "/dev/kfd")


@dataclass(frozen=True)
class MemoryNeed:
    """Bytes that the train process will hold, of those that its device has; None where that is not known."""

    needed: int
    there: int | None = None
    fit: Fit | None = None


@dataclass(frozen=True)
class RunEstimate:
    """None stands for what is not known; `about` what is an estimate itself."""

    model: ModelConfig  # with its vocabulary
    training: TrainingConfig
    parameters: int
    vocab_size: int
    at_most: bool  # whether the vocabulary, and so the parameters, may become smaller
    tokens_per_step: int
    memory: MemoryNeed
    tokens: float | None  # that the budget means
    epochs: float | None
    about_epochs: bool  # whether the text was not encoded yet to count its tokens
    pace: Pace | None
    seconds: float | None  # of training
    loss: MeasuredLoss | None
    floor: float | None  # nats per character that no model can beat


def estimate(recipe: Recipe, corpus: Corpus, model: ModelConfig | None, speed: MachineSpeed | None) -> RunEstimate:
    """What `recipe` comes to on that text; with `model` for going on with that one.

    Raises UserError for a tokenizer that only a model of another program's has.
    """
    vocab_size = model.vocab_size if model else vocabulary_size(recipe, corpus)
    shape, training = replace(recipe.model, vocab_size=vocab_size), recipe.training
    tokens_per_step = training.batch_size * shape.context_length
    text, about = _training_tokens(recipe, corpus, fine_tuning=model is not None)
    pace = pace_of(shape, training, speed)
    tokens = _tokens(training, tokens_per_step, text, pace)
    seconds = 60 * training.budget.amount if training.budget.unit == "minutes" else None
    if seconds is None and pace and tokens is not None:
        seconds = tokens / pace.tokens_per_second
    return RunEstimate(
        model=shape,
        training=training,
        parameters=parameter_count(shape),
        vocab_size=vocab_size,
        at_most=recipe.tokenizer == "bpe" and model is None,
        tokens_per_step=tokens_per_step,
        memory=memory_need(shape, training, speed),
        tokens=tokens,
        epochs=tokens / text if tokens is not None and text else None,
        about_epochs=about,
        pace=pace,
        seconds=seconds,
        loss=measured_loss(recipe, corpus.spec) if model is None else None,
        floor=_floor(recipe, corpus),
    )


def _floor(recipe: Recipe, corpus: Corpus) -> float | None:
    """The entropy of the validation text, where each of its characters is a token."""
    if recipe.tokenizer != "char":
        return None
    start = split_position(corpus.n_characters, recipe.validation_fraction)
    return corpus.entropy_floor(start, corpus.n_characters)


def _training_tokens(recipe: Recipe, corpus: Corpus, *, fine_tuning: bool) -> tuple[int | None, bool]:
    """How many tokens the training text has, and whether that is an estimate; None where nothing is known of it."""
    if recipe.tokenizer == "char" and not fine_tuning:
        return split_position(corpus.n_characters, recipe.validation_fraction), False
    if recipe.tokenizer == "byte" and not fine_tuning:
        return split_position(corpus.n_bytes, recipe.validation_fraction), False
    if fine_tuning or corpus.n_bytes > _MOSTLY_ASCII * corpus.n_characters:
        return None, False
    return split_position(int(corpus.n_bytes / _BYTES_PER_TOKEN), recipe.validation_fraction), True


def _tokens(training: TrainingConfig, tokens_per_step: int, text: int | None, pace: Pace | None) -> float | None:
    """The tokens that the budget means."""
    amount = training.budget.amount
    match training.budget.unit:
        case "steps":
            return amount * tokens_per_step
        case "tokens":
            return amount
        case "epochs":
            return amount * text if text else None
        case "minutes":
            return 60 * amount * pace.tokens_per_second if pace else None


# --- memory -----------------------------------------------------------------------------------------


def memory_need(model: ModelConfig, training: TrainingConfig, speed: MachineSpeed | None) -> MemoryNeed:
    """The memory of a train process, against that of the device which it would take."""
    needed, least, there, free = expected_memory(model, training), least_memory(model, training), None, None
    device = _device(training, speed)
    if device == "cpu":
        there, free = total_memory(), free_memory()
        processes = 1 if training.sharded else training.devices  # which share the main memory
        needed, least = processes * needed, processes * (PROCESS + least)
    elif speed is not None and speed.device.device.split(":")[0] == device:
        there = speed.device.memory
    if there is None:
        return MemoryNeed(needed)
    if least > there:
        return MemoryNeed(needed, there, "too much")
    return MemoryNeed(needed, there, "safe" if needed <= _SAFE * min(free or there, there) else "tight")


def _device(training: TrainingConfig, speed: MachineSpeed | None) -> str:
    """The kind of device that would train, as far as that can be known without torch; else empty."""
    if training.device != "auto":
        return training.device.split(":")[0]
    if speed is not None:
        return speed.device.device.split(":")[0]
    return "" if _may_have_gpu() else "cpu"


def _may_have_gpu() -> bool:
    with contextlib.suppress(OSError):
        if any(Path(name).exists() for name in _GPU_FILES):
            return True
    return sys.platform == "darwin" and platform.machine() == "arm64"
