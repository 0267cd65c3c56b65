"""What every learner has, wherever its weights lie: a position in the training text, losses, and updates."""

from __future__ import annotations

import math
import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from ....data.dataset import BatchStream
from ....models.gpt import GPT
from ....models.recipe import TrainingConfig
from ..group import Group, Instruction
from .layer_norms import UpdateMeasurement
from .memory import is_out_of_memory

Result = TypeVar("Result")


class Learner(ABC):
    """A model that learns, one update after another, from a stream of batches.

    An update does not wait for the device: losses add up there until `take_loss`. Of a `group` the trainer calls the
    learner of rank 0, which instructs the others to do the same (`follower`).
    """

    collective_forward = False  # whether a forward pass needs all ranks of the group

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
        self._loss_sum, self._summed_updates = torch.zeros((), device=self.device), 0
        self._epoch_loss_sum, self._epoch_updates = torch.zeros((), device=self.device), 0
        torch.manual_seed(config.seed)  # dropout's; weights and data have generators of their own

    @abstractmethod
    def update(self, factor: float) -> None:
        """One optimizer step, its learning rates multiplied by `factor`.

        Raises OutOfMemoryError, LostProcessError.
        """

    def free_memory(self) -> None:
        """Give back the memory of the device that updates would only use to be faster."""
        if self.device.type != "cpu":
            torch.get_device_module(self.device).empty_cache()

    @abstractmethod
    def gradient_norm(self) -> float:
        """The norm of the last gradient, before clipping. Waits for the device."""

    @abstractmethod
    def is_finite(self) -> bool:
        """Whether every weight is finite. Waits for the device."""

    def measure_next_update(self) -> UpdateMeasurement | None:
        """Keep the weights as they are until the next update, to see what it does; None where that is not possible."""
        return None

    @abstractmethod
    def averaged(self) -> AbstractContextManager[GPT]:
        """The model as it is evaluated and saved: with the averaged weights where the recipe averages."""

    def with_averaged_model(self, work: Callable[[GPT], Result]) -> Result:
        """What `work` makes of the model as it is evaluated and saved.

        Where that runs out of memory, what updates only use to be faster is given back, and the work is done anew.
        """
        try:
            with self.averaged() as model:
                return work(model)
        except RuntimeError as error:
            if self.group or not is_out_of_memory(error):  # the other ranks would wait
                raise
        self.free_memory()  # behind the except clause, in which the traceback keeps what was allocated
        with self.averaged() as model:
            return work(model)

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
        """Take over weights, optimizer and position in the data from rank 0; a collective."""

    def follow(self, instruction: Instruction, value: float) -> None:
        """Do, in another rank, what the learner of rank 0 does at this moment."""
        match instruction:
            case Instruction.UPDATE:
                self.update(value)
            case Instruction.LOAD_STATE:
                self.broadcast_state()
            case _:
                raise ValueError(f"{instruction.name} is no instruction for a learner")

    def full_tensor(self, name: str) -> Tensor:
        """The model's parameter `name`, with the rows of all ranks."""
        return self.model.get_parameter(name)

    def write_shards(self, folder: Path) -> None:
        """Write into `folder`, which is made, what of the state is spread over the ranks.

        Within `averaged()`. Raises OSError.
        """
        return

    @abstractmethod
    def _reset_average(self) -> None:
        """Let the average of the weights start from what they are now."""

    def steps_until(self, epochs: float) -> int:
        """Updates until `epochs` passes over the training text are completed; 0 at the one that completes them.

        Before that an estimate: where an epoch's windows begin is drawn again, which may change their number by one.
        """
        if self._stream.epoch >= epochs:
            return 0
        state, windows = self._stream.state_dict(), self._stream.windows_per_epoch
        done = state["epoch"] * windows + state["cursor"]
        return math.ceil((epochs * windows - done) / self._config.batch_size)

    def take_loss(self) -> float:
        """The mean loss of the updates since the last call, in nats per token. Waits for the device."""
        loss = self._loss_sum.item() / max(1, self._summed_updates)
        self._loss_sum.zero_()
        self._summed_updates = 0
        return loss

    def epoch_loss(self) -> float | None:
        """The mean loss of the updates since the epoch began, the latest one included. Waits for the device."""
        return self._epoch_loss_sum.item() / self._epoch_updates if self._epoch_updates else None

    def skip_to(self, step: int) -> None:
        """Go on at `step` from weights alone: a new optimizer state, and a new order of the data."""
        self.step = step
        self._reset_average()
        epoch, cursor = divmod(step * self._config.batch_size, self._stream.windows_per_epoch)
        self._stream.load_state_dict({"seed": self._config.seed, "epoch": epoch, "cursor": cursor})
        self._send_state()

    def reshuffle(self) -> None:
        """Draw another order for the batches to come."""
        state = self._stream.state_dict()
        self._stream.load_state_dict(state | {"seed": state["seed"] + 1})
        self._send_state()

    def _begin_update(self) -> None:
        """Start the sums of a new epoch, and seed dropout; call before the next batch is taken from the stream."""
        if self.completed_epoch:
            self._epoch_loss_sum.zero_()
            self._epoch_updates = 0
        self._epoch = int(self._stream.epoch)
        if self.group:  # dropout is seeded by rank and step, so a resumed run repeats it
            seed = random.Random(f"{self._config.seed}:{self.group.rank}:{self.step}").getrandbits(63)
            torch.manual_seed(seed)

    def _end_update(self, loss: Tensor) -> None:
        """Count the update, whose whole batch had this mean `loss`, a tensor ()."""
        self.step += 1
        self._loss_sum += loss
        self._summed_updates += 1
        self._epoch_loss_sum += loss
        self._epoch_updates += 1
        self.completed_epoch = int(self._stream.epoch) > self._epoch

    def _position(self) -> dict[str, Tensor]:
        """The part of the state that is neither weights nor optimizer: counts, random states, position in the data."""
        position = {"random.cpu": torch.get_rng_state(), "epoch_losses": self._epoch_loss_sum.clone()}
        if self.device.type != "cpu":
            position["random.device"] = torch.get_device_module(self.device).get_rng_state()
        numbers = {
            "step": self.step, "epoch_updates": self._epoch_updates, "completed_epoch": int(self.completed_epoch),
            **self._stream.state_dict(),
        }  # fmt: skip
        return position | {name: torch.tensor(number) for name, number in numbers.items()}

    def _load_position(self, state: dict[str, Tensor]) -> None:
        """Go to where `_position` was taken. Raises KeyError, RuntimeError or TypeError where `state` holds none."""
        self._stream.load_state_dict({name: int(state[name]) for name in self._stream.state_dict()})
        self.step = int(state["step"])
        self._epoch_loss_sum.copy_(state["epoch_losses"])
        self._epoch_updates, self.completed_epoch = int(state["epoch_updates"]), bool(state["completed_epoch"])
        if min(self.step, self._epoch_updates) < 0:
            raise ValueError(f"step {self.step} and {self._epoch_updates} updates in an epoch cannot be")
        torch.set_rng_state(state["random.cpu"].clone())
        if self.device.type != "cpu" and "random.device" in state:
            torch.get_device_module(self.device).set_rng_state(state["random.device"].clone())

    def _broadcast_position(self, group: Group) -> None:
        """Take over the step and the position in the data from rank 0."""
        stream = self._stream.state_dict()
        numbers = torch.tensor([self.step, *stream.values()], device=self.device)
        group.broadcast(numbers)
        self.step, *positions = map(int, numbers.tolist())
        self._stream.load_state_dict(dict(zip(stream, positions, strict=True)))

    def _send_state(self) -> None:
        """Send the state that rank 0 has now to the other ranks."""
        if self.group and self.group.rank == 0:
            self.group.instruct(Instruction.LOAD_STATE)
            self.broadcast_state()
