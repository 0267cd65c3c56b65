"""A model that learns: one update after another from a stream of batches, and all that is needed to go on exactly."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from ...data.dataset import BatchStream
from ...models.gpt import GPT
from ...models.recipe import TrainingConfig
from .averaging import WeightAverage
from .distributed import Group, Order
from .optimizers import build_optimizer
from .parameters import FlatParameters


class OutOfMemoryError(Exception):
    """Not even one sequence fits; the message says what to change."""


class Learner:
    """Model, optimizer, average and data stream.

    An update does not wait for the device: losses add up there until `take_loss`. `note` receives a sentence when the
    memory ran out and the micro-batch was halved.

    The learners of a `group` are equal after each update: every one learns from its rows of the same batch. That of the
    first process is the one to talk to; it has the others do the same (`follower`).
    """

    def __init__(
        self,
        model: GPT,
        train_tokens: Tensor,
        config: TrainingConfig,
        note: Callable[[str], None],
        group: Group | None = None,
    ) -> None:
        self.model = model.train().requires_grad_(True)
        self.step = 0
        self.tokens_per_step = config.batch_size * model.config.context_length
        self.group = group
        self._config, self._note = config, note
        self._flat = FlatParameters(model)
        self.device = self._flat.values.device
        self._optimizer = build_optimizer(model, self._flat, config, group)
        self._average = WeightAverage(self._flat.values, config.average) if config.average else None
        self._stream = BatchStream(
            train_tokens, model.config.context_length, config.batch_size, order=config.data_order, seed=config.seed
        )
        self._micro_batch = config.micro_batch_size or config.batch_size
        self._losses, self._summed = torch.zeros((), device=self.device), 0
        self.completed_epoch = False  # whether the latest update was the last of a pass over the training text
        self._epoch_losses, self._epoch_updates = torch.zeros((), device=self.device), 0
        self._clipped_norm: Tensor | None = None
        torch.manual_seed(config.seed)  # dropout's; weights and data have generators of their own
        self._rows = slice(None)
        if group:
            bounds = [config.batch_size * rank // group.size for rank in (group.rank, group.rank + 1)]
            self._rows = slice(*bounds)
            self._hand_over()

    def update(self, factor: float) -> None:
        """One optimizer step, its learning rates multiplied by `factor`.

        Raises OutOfMemoryError, LostProcessError.
        """
        if self.group and self.group.leads:
            self.group.order(Order.UPDATE, factor)
        if self.completed_epoch:
            self._epoch_losses.zero_()
            self._epoch_updates = 0
        epoch = int(self._stream.epoch)
        inputs, targets = self._stream.next_batch(self._rows)
        if self.group:
            self._seed_dropout(self.group)
        while not self._accumulate(inputs, targets):
            self._halve_micro_batch()
        if self.group:
            self.group.add_up(self._flat.sums)
        if self._config.gradient_clip:
            self._clipped_norm = self._flat.clip_gradients(self._config.gradient_clip)
        self._optimizer.step(factor)
        self.step += 1
        if self._average:
            self._average.update(self.step)
        self._losses += self._flat.loss
        self._summed += 1
        self._epoch_losses += self._flat.loss
        self._epoch_updates += 1
        self.completed_epoch = int(self._stream.epoch) > epoch

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

    def gradient_norm(self) -> float:
        """The norm of the last gradient, before clipping. Waits for the device."""
        norm = self._flat.gradients.norm() if self._clipped_norm is None else self._clipped_norm
        return norm.item()

    def is_finite(self) -> bool:
        """Whether every weight is a number."""
        return bool(self._flat.values.isfinite().all())

    @contextmanager
    def averaged(self) -> Iterator[GPT]:
        """The model as it should be judged and kept: with the averaged weights where an average is asked for."""
        if self._average is None:
            yield self.model
        else:
            with self._average.in_place():
                yield self.model

    def state_dict(self) -> dict[str, Tensor]:
        """With the weights of `averaged()`, all that `load_state_dict` needs: the next update will be the same."""
        state = {f"optimizer.{name}": tensor for name, tensor in self._optimizer.state_dict().items()}
        if self._average:
            state["weights"] = self._flat.values.clone()  # `averaged()` overwrites them for a while
        state["random.cpu"] = torch.get_rng_state()
        if self.device.type != "cpu":
            state["random.device"] = torch.get_device_module(self.device).get_rng_state()
        state["epoch_losses"] = self._epoch_losses.clone()
        numbers = {
            "step": self.step, "micro_batch": self._micro_batch, "epoch_updates": self._epoch_updates,
            "completed_epoch": int(self.completed_epoch), **self._stream.state_dict(),
        }  # fmt: skip
        return state | {name: torch.tensor(number) for name, number in numbers.items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on where `state` was taken. Raises ValueError where it belongs to another model or recipe."""
        try:
            optimizer = {name: state["optimizer." + name] for name in self._optimizer.state_dict()}
            self._optimizer.load_state_dict(optimizer)
            if self._average:
                self._average.average.copy_(self._flat.values)
                self._flat.values.copy_(state["weights"])
            self._stream.load_state_dict({name: int(state[name]) for name in self._stream.state_dict()})
            self.step, self._micro_batch = int(state["step"]), int(state["micro_batch"])
            self._epoch_losses.copy_(state["epoch_losses"])
            self._epoch_updates, self.completed_epoch = int(state["epoch_updates"]), bool(state["completed_epoch"])
            torch.set_rng_state(state["random.cpu"].clone())
            if self.device.type != "cpu" and "random.device" in state:
                torch.get_device_module(self.device).set_rng_state(state["random.device"].clone())
            self._hand_over()
        except (KeyError, RuntimeError, TypeError) as error:
            raise ValueError(f"the resume state does not fit this run ({error})") from error

    def skip_to(self, step: int) -> None:
        """Count from `step` where only weights are left: the optimizer starts anew, the data with a fresh order."""
        self.step = step
        if self._average:
            self._average.average.copy_(self._flat.values)
        windows = step * self._config.batch_size
        epoch, cursor = divmod(windows, self._stream.windows_per_epoch)
        self._stream.load_state_dict({"seed": self._config.seed, "epoch": epoch, "cursor": cursor})
        self._hand_over()

    def reorder(self) -> None:
        """Draw the order of the batches to come anew: none of them comes again as it was to come."""
        state = self._stream.state_dict()
        self._stream.load_state_dict(state | {"seed": state["seed"] + 1})
        self._hand_over()

    def share_state(self) -> None:
        """Take over weights, optimizer and place in the data from the first process; all of a group call this."""
        assert self.group
        for tensor in (self._flat.values, *self._optimizer.state_dict().values()):
            self.group.share(tensor)
        if self._average:
            self.group.share(self._average.average)
        stream = self._stream.state_dict()
        numbers = torch.tensor([self.step, *stream.values()], device=self.device)
        self.group.share(numbers)
        self.step, *places = map(int, numbers.tolist())
        self._stream.load_state_dict(dict(zip(stream, places, strict=True)))

    def _hand_over(self) -> None:
        """Give the others of a group the state that the first process has now."""
        if self.group and self.group.leads:
            self.group.order(Order.TAKE_OVER)
            self.share_state()

    def _seed_dropout(self, group: Group) -> None:
        """Other units in each process and step; without a state, so that a resumed run drops the same ones."""
        torch.manual_seed(random.Random(f"{self._config.seed}:{group.rank}:{self.step}").getrandbits(63))

    def _accumulate(self, inputs: Tensor, targets: Tensor) -> bool:
        """Sum the gradients and the loss of rows of a batch (B, T), micro-batch by micro-batch.

        False where memory ran out.
        """
        self._flat.zero_gradients()
        if not len(inputs):  # more processes than rows
            return True
        pieces = zip(inputs.split(self._micro_batch), targets.split(self._micro_batch), strict=True)
        try:
            for some_inputs, some_targets in pieces:
                loss = self.model.loss(some_inputs, some_targets)
                if len(some_inputs) < self._config.batch_size:
                    loss = loss * (len(some_inputs) / self._config.batch_size)
                loss.backward()
                self._flat.loss += loss.detach()
        except RuntimeError as error:
            if isinstance(error, torch.OutOfMemoryError) or "out of memory" in str(error):
                return False
            raise
        return True

    def _halve_micro_batch(self) -> None:
        if self._micro_batch == 1:
            raise OutOfMemoryError(
                f"one sequence of {self.model.config.context_length} tokens at a time does not fit into the memory; "
                "choose a smaller model or a shorter context"
            )
        self._micro_batch = -(-self._micro_batch // 2)
        if self.device.type != "cpu":
            torch.get_device_module(self.device).empty_cache()
        self._note(f"the memory ran out; going on with {self._micro_batch} sequences at a time, the batch stays whole")
