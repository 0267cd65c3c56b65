"""Every rank but 0 of a run that several processes train: it carries out the instructions of rank 0.

It reads no file: configuration, tokens and state come from rank 0, so another machine needs nothing of the run.
"""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import sys
import traceback
from dataclasses import dataclass

import torch
from torch import Tensor

from ...data.dataset import TokenDataset
from ...data.storage.typed_json import dumps, loads
from ...models.config import ModelConfig
from ...models.devices import DeviceChoice
from ...models.gpt import GPT
from ...models.recipe import TrainingConfig
from .errors import LostProcessError
from .group import Group, Instruction, process_group
from .loop.evaluation import EvaluationEnded, evaluate
from .machine import set_up_machine
from .update.learner import Learner
from .update.notes import Notes
from .update.replicated import ReplicatedLearner

FAILED = 1


@dataclass(frozen=True)
class _RunDescription:
    """What another rank must know before its first update."""

    model: ModelConfig
    training: TrainingConfig
    device: str
    dtype: str
    token_type: str
    train_tokens: int
    validation_tokens: int
    validation_bytes: int


def start_followers(
    group: Group, choice: DeviceChoice, model: ModelConfig, dataset: TokenDataset, config: TrainingConfig
) -> None:
    """Send the other ranks what they train and on what; rank 0 makes its learner after this."""
    description = _RunDescription(
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
    group.broadcast_text(dumps(description))
    group.broadcast(dataset.train)
    group.broadcast(dataset.validation)


def main(leave_core: bool) -> int:
    """Follow rank 0 to the end of the run; returns the exit code."""
    for number in (signal.SIGTERM, signal.SIGINT, getattr(signal, "SIGHUP", signal.SIGINT)):
        signal.signal(number, signal.SIG_IGN)  # rank 0 receives them too, and decides what to do
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
    """Carry out instructions until the last."""
    follower: _Follower | None = None
    while True:
        instruction, value = group.next_instruction()
        if instruction == Instruction.BEGIN:
            follower = None  # its memory is needed
            follower = _Follower(group, leave_core)
        elif instruction == Instruction.END or follower is None:
            return
        else:
            follower.carry_out(instruction, value)


class _Follower:
    """A learner like rank 0's, fed with other rows of the same batches."""

    def __init__(self, group: Group, leave_core: bool) -> None:
        described = loads(_RunDescription, group.broadcast_text())
        config = dataclasses.replace(described.training, device=described.device, dtype=described.dtype)
        choice, _ = set_up_machine(config, group, leave_core)
        train, validation = (
            torch.empty(count, dtype=getattr(torch, described.token_type), device=choice.device)
            for count in (described.train_tokens, described.validation_tokens)
        )
        group.broadcast(train)
        group.broadcast(validation)
        self._group, self._config = group, described.training
        self._dataset = TokenDataset(train, validation, described.validation_bytes)
        self._learner = self._build_learner(described, choice, train)

    def _build_learner(self, described: _RunDescription, choice: DeviceChoice, train: Tensor) -> Learner:
        if described.training.sharded:
            from .sharded.learner import sharded_learner  # takes seconds to import

            return sharded_learner(described.model, train, described.training, choice, self._group, Notes())
        model = GPT(described.model, choice.device, choice.dtype)
        return ReplicatedLearner(model, train, described.training, Notes(warn=self._warn), self._group)

    def carry_out(self, instruction: Instruction, value: float) -> None:
        """Do what rank 0 does at this moment."""
        if instruction == Instruction.EVALUATE:
            self._evaluate()
        else:
            self._learner.follow(instruction, value)

    def _evaluate(self) -> None:
        config = self._config
        with self._learner.averaged() as model, contextlib.suppress(EvaluationEnded):
            evaluate(
                model, self._dataset.validation, self._dataset.validation_bytes, config.evaluation,
                batch_size=config.batch_size, batches=config.evaluation_batches, seed=config.seed, group=self._group,
                collective_forward=self._learner.collective_forward,
            )  # fmt: skip

    def _warn(self, text: str) -> None:
        print(f"process {self._group.rank}: {text}", file=sys.stderr)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
