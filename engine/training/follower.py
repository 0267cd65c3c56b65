"""Every process but the first of a run that several train: it does what the first one says.

It reads no file: model, text and state come from the first process, so another machine needs nothing of the run.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import traceback
from dataclasses import dataclass

import torch
from torch import Tensor

from ...data.dataset import TokenDataset
from ...data.storage.typed_json import dumps, loads
from ...models.config import ModelConfig
from ...models.devices import DeviceChoice, choose_device
from ...models.gpt import GPT
from ...models.recipe import TrainingConfig
from .errors import LostProcessError
from .group import Group, Instruction, process_group
from .loop.evaluation import EvaluationEnded, evaluate
from .machine import device_of, repeat_exactly, set_up_processor, threads_of
from .update.learner import Learner
from .update.replicated import ReplicatedLearner

FAILED = 1


@dataclass(frozen=True)
class _Beginning:
    """What a process must know before it can train along."""

    model: ModelConfig
    training: TrainingConfig
    device: str
    dtype: str
    token_type: str
    train_tokens: int
    validation_tokens: int
    validation_bytes: int


def begin(
    group: Group, choice: DeviceChoice, model: ModelConfig, dataset: TokenDataset, config: TrainingConfig
) -> None:
    """Tell the other processes what they train and on what; the first one makes its learner thereafter."""
    beginning = _Beginning(
        model=model,
        training=config,
        device=choice.device.type,
        dtype=_name(choice.dtype),
        token_type=_name(dataset.train.dtype),
        train_tokens=len(dataset.train),
        validation_tokens=len(dataset.validation),
        validation_bytes=dataset.validation_bytes,
    )
    group.instruct(Instruction.BEGIN)
    group.broadcast_text(dumps(beginning))
    group.broadcast(dataset.train)
    group.broadcast(dataset.validation)


def main(leave_core: bool) -> int:
    """Follow the first process to its end; returns the exit code."""
    for number in (signal.SIGTERM, signal.SIGINT, getattr(signal, "SIGHUP", signal.SIGINT)):
        signal.signal(number, signal.SIG_IGN)  # the first process hears them too, and says what is to be done
    group = None
    try:
        with process_group() as group:
            assert group
            _follow(group, leave_core)
    except LostProcessError as error:
        print(error, file=sys.stderr)
        return FAILED
    except BaseException as error:
        if group:
            group.report_failure(str(error) or type(error).__name__)
        traceback.print_exc()
        return FAILED
    return 0


def _follow(group: Group, leave_core: bool) -> None:
    """Carry out orders until the last."""
    along: _Along | None = None
    while True:
        instruction, value = group.next_instruction()
        if instruction == Instruction.BEGIN:
            along = None  # its memory is needed
            along = _Along(group, leave_core)
        elif instruction == Instruction.END or along is None:
            return
        else:
            along.carry_out(instruction, value)


class _Along:
    """A learner like the first process's, fed with other rows of the same batches."""

    def __init__(self, group: Group, leave_core: bool) -> None:
        said = loads(_Beginning, group.broadcast_text())
        if said.training.deterministic:
            repeat_exactly()
        choice = choose_device(device_of(group, said.device), said.dtype)
        set_up_processor(
            choice, threads_of(group, said.training.threads, leave_core and not said.training.deterministic)
        )
        train, validation = (
            torch.empty(count, dtype=getattr(torch, said.token_type), device=choice.device)
            for count in (said.train_tokens, said.validation_tokens)
        )
        group.broadcast(train)
        group.broadcast(validation)
        self._group, self._config = group, said.training
        self._dataset = TokenDataset(train, validation, said.validation_bytes)
        self._learner = self._build(said, choice, train)

    def _build(self, said: _Beginning, choice: DeviceChoice, train: Tensor) -> Learner:
        if said.training.sharded:
            from .sharded.learner import sharded_learner  # takes seconds to import

            return sharded_learner(said.model, train, said.training, choice, self._group)
        model = GPT(said.model, choice.device, choice.dtype)
        return ReplicatedLearner(model, train, said.training, self._note, self._group)

    def carry_out(self, instruction: Instruction, value: float) -> None:
        """Do what the first process does at this moment."""
        match instruction:
            case Instruction.EVALUATE:
                self._evaluate()
            case _:
                self._learner.follow(instruction, value)

    def _evaluate(self) -> None:
        config = self._config
        with self._learner.averaged() as model, contextlib.suppress(EvaluationEnded):
            evaluate(
                model, self._dataset.validation, self._dataset.validation_bytes, config.evaluation,
                batch_size=config.batch_size, batches=config.evaluation_batches, seed=config.seed, group=self._group,
                collective_forward=self._learner.collective_forward,
            )  # fmt: skip

    def _note(self, text: str) -> None:
        print(f"process {self._group.rank}: {text}", file=sys.stderr)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
