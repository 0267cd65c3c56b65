"""A learner whose model, optimizer and average are sharded over the ranks of a group, for what no device holds."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor

from ....models.cache import KVCache
from ....models.config import ModelConfig
from ....models.devices import DeviceChoice
from ....models.gpt import GPT
from ....models.recipe import TrainingConfig
from ..errors import OutOfMemoryError
from ..group import Group, Instruction
from ..initial_weights import WholeWeights
from ..machine import memory_of
from ..update.ema import weight_of_newest
from ..update.learner import Learner
from ..update.memory import micro_batch_within_memory, no_room_for_more
from ..update.notes import Notes
from .model import as_shard, local_gradient, local_rows, own_shard, sharded_model, shards_of
from .optimizers import ShardedOptimizer
from .state import read_shards, split_state, write_shards

# where the other ranks find their part of the state: nowhere, in what rank 0 broadcasts, or else in the folder named
_NOTHING, _WHOLE_TENSORS = "nothing", "whole tensors"
_WHOLE_GRADIENTS = 0.1  # of a device's memory: what unsharded gradients may take between two micro-batches


class ShardedLearner(Learner):
    """The learner of one rank; all ranks run the same passes, each on its rows of the batch.

    `model` comes from `sharded_model`. Whatever rank 0 does with it, the other ranks do too (`follow`): a sample for
    example, of which they get the tokens alone.
    """

    collective_forward = True

    def __init__(self, model: GPT, train_tokens: Tensor, config: TrainingConfig, group: Group, notes: Notes) -> None:
        super().__init__(model, train_tokens, config, group)
        self._group, self._shards = group, shards_of(model)
        self._optimizer = ShardedOptimizer(model, self._shards, config, group)
        self._averages: dict[str, Tensor] = {}
        self._swapped = False  # whether `_averages` holds the weights, and the model their average
        self._reset_average()
        self._micro_batch = self._micro_batch_within_memory(notes)
        self._norm = torch.zeros((), device=self.device)
        self._state: Callable[[str], Tensor] | None = None  # of rank 0, while it is sent
        self._cache: KVCache | None = None
        self._first, self._end = (config.batch_size * rank // group.size for rank in (group.rank, group.rank + 1))
        whole = 4 * sum(shard.numel() for shard in self._shards.values())
        memory = memory_of(self.device, group)
        self._keeps_whole_gradients = memory is not None and whole < _WHOLE_GRADIENTS * memory
        if group.rank == 0:
            model.register_forward_pre_hook(self._instruct_forward, prepend=True)

    def update(self, factor: float) -> None:
        """One optimizer step, its learning rates multiplied by `factor`.

        Raises OutOfMemoryError, LostProcessError.
        """
        if self._group.rank == 0:
            self._group.instruct(Instruction.UPDATE, factor)
        self._begin_update()
        self._cache = None
        inputs, targets = self._stream.next_batch()
        try:
            with self._group.collective():
                loss = self._accumulate_gradients(inputs, targets)
        except torch.OutOfMemoryError as error:
            raise OutOfMemoryError(
                f"the memory ran out with {self._micro_batch} sequences at a time, and processes that share a model "
                "cannot go back by themselves; resume the run with more --devices, or start one with a smaller "
                "--micro-batch-size"
            ) from error
        gradients = [local_gradient(shard) for shard in self._shards.values()]
        squares = torch.stack([gradient.square().sum() for gradient in gradients]).sum()
        sums = torch.stack((loss, squares))
        self._group.all_reduce(sums)
        self._norm = sums[1].sqrt()
        if self._config.gradient_clip:
            scale = (self._config.gradient_clip / (self._norm + 1e-6)).clamp(max=1.0)
            torch._foreach_mul_(gradients, scale)  # pyright: ignore[reportPrivateImportUsage]
        self._optimizer.step(factor)
        for shard in self._shards.values():
            shard.grad = None
        self._end_update(sums[0])
        if self._averages:
            self._update_average()

    def gradient_norm(self) -> float:
        """The norm of the last gradient, before clipping. Waits for the device."""
        return self._norm.item()

    def is_finite(self) -> bool:
        """Whether every weight, in every rank, is finite."""
        if self._group.rank == 0:
            self._group.instruct(Instruction.CHECK_FINITE)
        wrong = torch.zeros((), device=self.device)
        for shard in self._shards.values():
            wrong += (~local_rows(shard).isfinite()).sum()
        self._group.all_reduce(wrong)
        return wrong.item() == 0

    @contextmanager
    def averaged(self) -> Iterator[GPT]:
        """The model; within the context it has the averaged weights, where the recipe averages.

        The other ranks enter and leave with rank 0.
        """
        swaps = bool(self._averages) and self._group.rank == 0
        with self._group.collective():
            if swaps:
                self._swap_average()
            try:
                yield self.model
            finally:
                if swaps:
                    self._swap_average()

    def full_tensor(self, name: str) -> Tensor:
        """The parameter `name` with the rows of all ranks, for rank 0."""
        if self._group.rank == 0:
            self._group.instruct(Instruction.GATHER, list(self._shards).index(name))
        with self._group.collective():
            return self._shards[name].full_tensor().detach()

    def state_dict(self) -> dict[str, Tensor]:
        """What is not sharded: the position in the data, and counts."""
        return self._position() | {
            "optimizer.updates": self._optimizer.updates.clone(),
            "micro_batch": torch.tensor(self._micro_batch),
        }

    def write_shards(self, folder: Path | None = None) -> None:
        """Have each rank write its rows of optimizer and weights into `folder`; within `averaged()`. Raises OSError.

        Rank 0 tells the others which folder that is.
        """
        if self._group.rank == 0:
            self._group.instruct(Instruction.WRITE_SHARDS)
        folder = Path(self._group.broadcast_text("" if folder is None else str(folder)))
        with self._group.collective():
            write_shards(folder, self._sharded_state())

    def load_state_dict(self, state: dict[str, Tensor], shards: Path | None = None) -> None:
        """Go on where `state` was taken, here or by a replicated learner; `shards` is where the rest lies.

        Raises ValueError where it belongs to another model or recipe.
        """
        try:
            self._optimizer.updates.copy_(state["optimizer.updates"])
            # never more than these machines have room for, which may be smaller ones
            self._micro_batch = min(self._micro_batch, max(1, int(state["micro_batch"])))
            self._load_position(state)
            if shards is None:
                self._state = split_state(state, self.model)
                for name in self._sharded_state():
                    self._state(name)  # what is missing is found before the other ranks wait for it
        except (KeyError, RuntimeError, TypeError) as error:
            raise ValueError(f"the resume state does not fit this run ({error})") from error
        self._group.instruct(Instruction.LOAD_STATE)
        self._receive_state(_WHOLE_TENSORS if shards is None else str(shards))
        self._state = None

    def broadcast_state(self) -> None:
        """Take over the position in the data from rank 0, and the state where it sends one; a collective."""
        self._receive_state(_NOTHING)

    def follow(self, instruction: Instruction, value: float) -> None:
        """Do, in another rank, what the learner of rank 0 does at this moment."""
        match instruction:
            case Instruction.CHECK_FINITE:
                self.is_finite()
            case Instruction.SWAP_EMA:
                self._swap_average()
            case Instruction.GATHER:
                self.full_tensor(list(self._shards)[int(value)])
            case Instruction.FORWARD:
                self._forward(int(value))
            case Instruction.WRITE_SHARDS:
                with contextlib.suppress(OSError):  # which rank 0 raises too
                    self.write_shards()
            case _:
                super().follow(instruction, value)

    def _accumulate_gradients(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Sum the gradients of this rank's rows of a batch (B, T) into its shards; the sum of its rows' losses.

        All ranks run as many passes: one that has no rows left reads a row that does not count.
        """
        model, batch = cast(FSDPModule, self.model), self._config.batch_size
        loss = torch.zeros((), device=self.device)
        rows_of_a_rank = math.ceil(batch / self._group.size)  # some have one fewer
        passes = math.ceil(rows_of_a_rank / self._micro_batch)
        for i in range(passes):
            # gradients between two passes are shards, or whole tensors, which spares a sum but takes a model's memory
            model.set_requires_gradient_sync(i == passes - 1 or not self._keeps_whole_gradients)
            first = self._first + i * self._micro_batch
            rows = slice(first, min(first + self._micro_batch, self._end))
            count = max(0, rows.stop - rows.start)
            rows = rows if count else slice(1)
            part = self.model.loss(inputs[rows], targets[rows]) * (count / batch)
            part.backward()
            loss += part.detach()
        return loss

    def _micro_batch_within_memory(self, notes: Notes) -> int:
        """The micro-batch of the recipe, or what the memory of every rank has room for; the same in all ranks."""
        config, model = self._config, self.model
        its_own = micro_batch_within_memory(model.config, config, model.compute_dtype, self.device, self._group)
        fitting = int(self._group.all_gather(torch.tensor([its_own])).min())
        if fitting < (config.micro_batch_size or config.batch_size):
            notes.warn(no_room_for_more(fitting))
        return fitting

    def _sharded_state(self) -> dict[str, DTensor]:
        """The state by name, of each tensor this rank's rows: the live ones."""
        state: dict[str, DTensor] = {}
        for name, tensor in self._optimizer.moments.items():
            state[f"optimizer.{name}"] = as_shard(tensor, self._shards[name.split(".", 1)[1]])
        for name, average in self._averages.items():
            shard = self._shards[name]
            state[f"weights.{name}"] = as_shard(average if self._swapped else local_rows(shard), shard)
        return state

    def _receive_state(self, source: str) -> None:
        """Take over the position in the data, and the sharded state from the `source` that rank 0 names."""
        group = self._group
        source = group.broadcast_text(source)
        if source == _WHOLE_TENSORS:
            for name, rows in self._sharded_state().items():
                whole = torch.empty(rows.shape, device=self.device)
                if self._state:
                    whole.copy_(self._state(name))
                group.broadcast(whole)
                rows.to_local().copy_(own_shard(whole, rows).to_local())
        elif source != _NOTHING:
            with group.collective():
                read_shards(Path(source), self._sharded_state())
        micro_batch = torch.tensor(self._micro_batch)
        for tensor in (micro_batch, self._optimizer.updates):
            group.broadcast(tensor)
        self._micro_batch = int(micro_batch)
        self._broadcast_position(group)

    @torch.no_grad()
    def _reset_average(self) -> None:
        if self._config.average:
            self._averages = {name: local_rows(shard).clone() for name, shard in self._shards.items()}

    def _update_average(self) -> None:
        """Let the average take in the weights of this step."""
        weights = [local_rows(shard) for shard in self._shards.values()]
        torch._foreach_lerp_(  # pyright: ignore[reportPrivateImportUsage]
            list(self._averages.values()), weights, weight_of_newest(self._config.average, self.step)
        )

    def _swap_average(self) -> None:
        """Swap the weights and their average, in all ranks."""
        if self._group.rank == 0:
            self._group.instruct(Instruction.SWAP_EMA)
        cast(FSDPModule, self.model).reshard()  # an evaluation leaves what lies outside the blocks gathered
        for name, shard in self._shards.items():
            weights, average = local_rows(shard), self._averages[name]
            kept = weights.clone()
            weights.copy_(average)
            average.copy_(kept)
        self._swapped = not self._swapped

    def _instruct_forward(self, model: nn.Module, arguments: tuple[Any, ...]) -> None:
        """Before a pass with a KV cache, which only samples have: let the other ranks run it too."""
        if len(arguments) > 1 and isinstance(cache := arguments[1], KVCache):
            tokens: Tensor = arguments[0]
            self._group.instruct(Instruction.FORWARD, cache.length)
            self._group.broadcast(torch.tensor(tokens.shape))
            self._group.broadcast(tokens.cpu())

    def _forward(self, length: int) -> None:
        """Run rank 0's pass: the tokens (B, T) that it sends, after `length` others of the same sample."""
        shape = torch.empty(2, dtype=torch.int64)
        self._group.broadcast(shape)
        tokens = torch.empty(tuple(shape.tolist()), dtype=torch.int64)
        self._group.broadcast(tokens)
        config = self.model.config
        if self._cache is None:
            self._cache = KVCache(config, 1, config.context_length, self.device, self.model.compute_dtype)
        self._cache.length = length
        self.model.eval()
        with torch.no_grad(), self._group.collective():
            self.model(tokens.to(self.device), self._cache)
        self.model.train()


def sharded_learner(
    model: ModelConfig,
    train_tokens: Tensor,
    config: TrainingConfig,
    choice: DeviceChoice,
    group: Group,
    notes: Notes,
    weights: WholeWeights | None = None,
) -> ShardedLearner:
    """A rank's learner of a model that begins with the `weights` that rank 0 gives; a collective.

    `notes` receives a warning where the memory has no room for the micro-batch of the recipe.
    """
    sharded = sharded_model(model, group, choice.device, choice.dtype, weights)
    return ShardedLearner(sharded, train_tokens, config, group, notes)
