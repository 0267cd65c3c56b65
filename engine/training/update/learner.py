"""What every learner is to those who train with it, wherever its weights lie: a place in the text, and losses."""

from __future__ import annotations

import math
import random
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from pathlib import Path

import torch
from torch import Tensor

from ....data.dataset import BatchStream
from ....models.gpt import GPT
from ....models.recipe import TrainingConfig
from ..group import Group, Instruction


class Learner(ABC):
    """A model that learns, one update after another, from a stream of batches.

    An update does not wait for the device: losses add up there until `take_loss`. With a `group` that of the first
    process is the one to talk to; it has the others do the same (`follower`).
    """

    collective_forward = False  # whether a pass of the model needs all processes of the group

    def __init__(self, model: GPT, train_tokens: Tensor, config: TrainingConfig, group: Group | None) -> None:
        self.model = model.train().requires_grad_(True)
        self.step = 0
        self.tokens_per_step = config.batch_size * model.config.context_length
        self.group, self.device = group, train_tokens.device
        self.completed_epoch = False  # whether the latest update was the last of a pass over the training text
        self._config = config
        self._stream = BatchStream(
            train_tokens, model.config.context_length, config.batch_size, order=config.data_order, seed=config.seed
        )
        self._epoch = 0
        self._losses, self._summed = torch.zeros((), device=self.device), 0
        self._epoch_losses, self._epoch_updates = torch.zeros((), device=self.device), 0
        torch.manual_seed(config.seed)  # dropout's; weights and data have generators of their own

    @abstractmethod
    def update(self, factor: float) -> None:
        """One optimizer step, its learning rates multiplied by `factor`.

        Raises OutOfMemoryError, LostProcessError.
        """

    @abstractmethod
    def gradient_norm(self) -> float:
        """The norm of the last gradient, before clipping. Waits for the device."""

    @abstractmethod
    def is_finite(self) -> bool:
        """Whether every weight is a number."""

    @abstractmethod
    def averaged(self) -> AbstractContextManager[GPT]:
        """The model as it should be judged and kept: with the averaged weights where an average is asked for."""

    @abstractmethod
    def state_dict(self) -> dict[str, Tensor]:
        """With the weights of `averaged()`, all that `load_state_dict` needs: the next update will be the same."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Tensor], shards: Path | None = None) -> None:
        """Go on where `state` was taken, and where `write_shards` wrote the folder `shards` with it.

        Raises ValueError where it belongs to another model or recipe, CheckpointError where `shards` cannot be read.
        """

    @abstractmethod
    def broadcast_state(self) -> None:
        """Take over weights, optimizer and place in the data from the first process; all of a group call this."""

    def follow(self, instruction: Instruction, value: float) -> None:
        """Do, in another process of the group, what the first one's learner does at this moment."""
        match instruction:
            case Instruction.UPDATE:
                self.update(value)
            case Instruction.LOAD_STATE:
                self.broadcast_state()
            case _:
                raise ValueError(f"{instruction.name} is no instruction for a learner")

    def full_tensor(self, name: str) -> Tensor:
        """The model's parameter `name` with all its rows, wherever they lie."""
        return self.model.get_parameter(name)

    def write_shards(self, folder: Path) -> None:
        """Write into `folder`, which is made, what belongs to the state and is spread over processes.

        Within `averaged()`. Raises OSError.
        """
        return

    @abstractmethod
    def _begin_average(self) -> None:
        """Let the average of the weights, where one is asked for, start from what they are now."""

    def steps_until(self, epochs: float) -> int:
        """Updates until `epochs` passes over the training text are behind; 0 at the one that completes them.

        A guess until then: where an epoch's windows begin is drawn anew, and decides whether one more of them fits.
        """
        if self._stream.epoch >= epochs:
            return 0
        state, windows = self._stream.state_dict(), self._stream.windows_per_epoch
        behind = state["epoch"] * windows + state["cursor"]
        return math.ceil((epochs * windows - behind) / self._config.batch_size)

    def take_loss(self) -> float:
        """The mean loss of the updates since the last call, in nats per token. Waits for the device."""
        loss = self._losses.item() / max(1, self._summed)
        self._losses.zero_()
        self._summed = 0
        return loss

    def epoch_loss(self) -> float | None:
        """The mean loss of the updates since the epoch began, the latest one included. Waits for the device."""
        return self._epoch_losses.item() / self._epoch_updates if self._epoch_updates else None

    def skip_to(self, step: int) -> None:
        """Count from `step` where only weights are left: the optimizer starts anew, the data with a fresh order."""
        self.step = step
        self._begin_average()
        epoch, cursor = divmod(step * self._config.batch_size, self._stream.windows_per_epoch)
        self._stream.load_state_dict({"seed": self._config.seed, "epoch": epoch, "cursor": cursor})
        self._hand_over()

    def reorder(self) -> None:
        """Draw the order of the batches to come anew: none of them comes again as it was to come."""
        state = self._stream.state_dict()
        self._stream.load_state_dict(state | {"seed": state["seed"] + 1})
        self._hand_over()

    def _enter_update(self) -> None:
        """Prepare the sums for the update that begins, whose batch is the stream's next."""
        if self.completed_epoch:
            self._epoch_losses.zero_()
            self._epoch_updates = 0
        self._epoch = int(self._stream.epoch)
        if self.group:  # other units in each process and step; without a state, so a resumed run drops the same ones
            seed = random.Random(f"{self._config.seed}:{self.group.rank}:{self.step}").getrandbits(63)
            torch.manual_seed(seed)

    def _count_update(self, loss: Tensor) -> None:
        """The update is done, and `loss` was that of its whole batch."""
        self.step += 1
        self._losses += loss
        self._summed += 1
        self._epoch_losses += loss
        self._epoch_updates += 1
        self.completed_epoch = int(self._stream.epoch) > self._epoch

    def _place(self) -> dict[str, Tensor]:
        """Where the learner stands, without weights and optimizer."""
        place = {"random.cpu": torch.get_rng_state(), "epoch_losses": self._epoch_losses.clone()}
        if self.device.type != "cpu":
            place["random.device"] = torch.get_device_module(self.device).get_rng_state()
        numbers = {
            "step": self.step, "epoch_updates": self._epoch_updates, "completed_epoch": int(self.completed_epoch),
            **self._stream.state_dict(),
        }  # fmt: skip
        return place | {name: torch.tensor(number) for name, number in numbers.items()}

    def _go_to(self, place: dict[str, Tensor]) -> None:
        """Stand where `_place` was taken. Raises KeyError, RuntimeError or TypeError for what is no place."""
        self._stream.load_state_dict({name: int(place[name]) for name in self._stream.state_dict()})
        self.step = int(place["step"])
        self._epoch_losses.copy_(place["epoch_losses"])
        self._epoch_updates, self.completed_epoch = int(place["epoch_updates"]), bool(place["completed_epoch"])
        torch.set_rng_state(place["random.cpu"].clone())
        if self.device.type != "cpu" and "random.device" in place:
            torch.get_device_module(self.device).set_rng_state(place["random.device"].clone())

    def _share_place(self, group: Group) -> None:
        """Take over the step and the place in the data from the first process."""
        stream = self._stream.state_dict()
        numbers = torch.tensor([self.step, *stream.values()], device=self.device)
        group.broadcast(numbers)
        self.step, *places = map(int, numbers.tolist())
        self._stream.load_state_dict(dict(zip(stream, places, strict=True)))

    def _hand_over(self) -> None:
        """Give the others of a group the state that the first process has now."""
        if self.group and self.group.rank == 0:
            self.group.instruct(Instruction.LOAD_STATE)
            self.broadcast_state()
