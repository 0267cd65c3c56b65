"""A learner that holds the whole model: alone, or as one of several ranks that each compute some rows of the batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from ....models.gpt import GPT
from ....models.recipe import TrainingConfig
from ..errors import OutOfMemoryError
from ..group import Group, Instruction
from .compile import Loss, compiled
from .cuda_graph import MOST_MICRO_BATCHES, Capture, UpdateInputs, UpdateRunner
from .ema import WeightAverage
from .flat_parameters import FlatParameters
from .in_flight import UpdatesInFlight
from .layer_norms import UpdateMeasurement
from .learner import Learner
from .memory import (
    MicroBatchTooLarge,
    has_room_for_copy,
    is_out_of_memory,
    micro_batch_within_memory,
    no_room_for_more,
)
from .notes import Notes
from .optimizers import build_optimizer


class ReplicatedLearner(Learner):
    """A learner with the whole model, its optimizer and its average; in a `group` all are equal after each update.

    `notes` receives a warning when the memory ran out and the micro-batch was halved, or when updates cannot be
    compiled or captured, and a sentence when they are. `capture` makes CUDA graphs of the updates.
    """

    def __init__(
        self,
        model: GPT,
        train_tokens: Tensor,
        config: TrainingConfig,
        notes: Notes,
        group: Group | None = None,
        capture: Capture | None = None,
    ) -> None:
        super().__init__(model, train_tokens, config, group)
        self._notes = notes
        self._to_compile = config.compile == "on"
        self._compiled_loss: Loss | None = None
        self._runner = UpdateRunner(capture, notes)
        self._in_flight = UpdatesInFlight(self.device)
        self._flat = FlatParameters(model)
        self._optimizer = build_optimizer(model, self._flat, config, group)
        self._average = WeightAverage(self._flat.values, config.average) if config.average else None
        wanted = config.micro_batch_size or config.batch_size
        self._micro_batch = micro_batch_within_memory(model.config, config, model.compute_dtype, self.device, group)
        if self._micro_batch < wanted:
            notes.warn(no_room_for_more(self._micro_batch))
        self._norm_before_clipping = torch.zeros((), device=self.device)
        self._inputs: UpdateInputs | None = None
        rows, length = config.batch_size, model.config.context_length
        self._static_inputs = UpdateInputs.static(rows, length, self.device) if self._runner.captures else None
        self._rows = slice(None)
        if group:
            self._rows = slice(*(config.batch_size * rank // group.size for rank in (group.rank, group.rank + 1)))
            self._send_state()

    def update(self, factor: float) -> None:
        """One optimizer step on the whole batch, or on this rank's rows of it.

        Raises OutOfMemoryError, LostProcessError.
        """
        if self.group and self.group.rank == 0:
            self.group.instruct(Instruction.UPDATE, factor)
        self._begin_update()
        inputs, targets = self._stream.next_batch(self._rows)
        if self._to_compile:
            self._compile(inputs, targets)
        ema_weight = self._average.weight_of_newest(self.step + 1) if self._average else 0.0
        self._inputs = UpdateInputs(inputs, targets, factor, ema_weight)
        if self._static_inputs:
            self._static_inputs.copy_from(self._inputs)
            self._inputs = self._static_inputs
        while not self._try_update():
            self._halve_micro_batch()
        self._end_update(self._flat.loss)
        self._in_flight.launched()

    def _compile(self, inputs: Tensor, targets: Tensor) -> None:
        """Let torch compile the loss of a micro-batch, if it can."""

        def try_out(loss: Loss) -> None:
            rows = slice(self._micro_batch)
            loss(inputs[rows], targets[rows]).backward()  # each update begins with gradients of zero

        self._to_compile = False
        self._compiled_loss = compiled(self.model.loss, self._notes, try_out)

    def _try_update(self) -> bool:
        """Run the update; False, with nothing changed, if memory ran out."""
        try:
            self._runner.run(self._compute_update)
        except MicroBatchTooLarge:
            return False
        return True

    def _compute_update(self) -> None:
        """The whole update, from a batch to new weights: the same kernels on the same tensors each time.

        Its results go to tensors that were there before: a graph writes to those that it was captured with.
        """
        given = self._inputs
        assert given
        self._accumulate_gradients(given.inputs, given.targets)
        if self.group:
            self.group.all_reduce(self._flat.sums)
        if self._config.gradient_clip:
            self._norm_before_clipping.copy_(self._flat.clip_gradients(self._config.gradient_clip))
        self._optimizer.step(given.learning_rate_factor)
        if self._average:
            self._average.update(given.ema_weight)

    def free_memory(self) -> None:
        """Give back the memory that updates would only use to be faster: that of their graph, too."""
        self._runner.reset()
        super().free_memory()

    def gradient_norm(self) -> float:
        """The norm of the last gradient, before clipping. Waits for the device."""
        norm = self._norm_before_clipping if self._config.gradient_clip else self._flat.gradients.norm()
        return norm.item()

    def is_finite(self) -> bool:
        """Whether every weight is finite. Waits for the device."""
        return bool(self._flat.values.isfinite().all())

    def measure_next_update(self) -> UpdateMeasurement | None:
        """Keep the weights as they are until the next update, to see what it does; None where there is no room."""
        values = self._flat.values
        if not has_room_for_copy(values.nbytes, self.device, self.group):
            return None
        try:
            return UpdateMeasurement(self.model, self._flat)
        except RuntimeError as error:
            if is_out_of_memory(error):
                return None
            raise

    @contextmanager
    def averaged(self) -> Iterator[GPT]:
        """The model; within the context it has the averaged weights, where the recipe averages."""
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
        return state | self._position() | {"micro_batch": torch.tensor(self._micro_batch)}

    def load_state_dict(self, state: dict[str, Tensor], shards: Path | None = None) -> None:
        """Go on where `state` was taken; what ranks of a sharded model wrote must have been joined into it.

        Raises ValueError where it belongs to another model or recipe.
        """
        if shards:
            raise ValueError("a part of it lies in shards")
        try:
            optimizer = {name: state["optimizer." + name] for name in self._optimizer.state_dict()}
            self._optimizer.load_state_dict(optimizer)
            if self._average:
                self._reset_average()
                self._flat.values.copy_(state["weights"])
            # never more than this machine has room for, which may be a smaller one
            self._micro_batch = min(self._micro_batch, max(1, int(state["micro_batch"])))
            self._load_position(state)
            self._send_state()
        except (KeyError, RuntimeError, TypeError) as error:
            raise ValueError(f"the resume state does not fit this run ({error})") from error

    def broadcast_state(self) -> None:
        """Take over weights, optimizer and position in the data from rank 0; a collective."""
        assert self.group
        for tensor in (self._flat.values, *self._optimizer.state_dict().values()):
            self.group.broadcast(tensor)
        if self._average:
            self.group.broadcast(self._average.average)
        self._broadcast_position(self.group)

    def _reset_average(self) -> None:
        if self._average:
            self._average.average.copy_(self._flat.values)

    def _accumulate_gradients(self, inputs: Tensor, targets: Tensor) -> None:
        """Sum gradients and loss of rows of a batch (B, T), one micro-batch at a time. Raises MicroBatchTooLarge."""
        self._flat.zero_gradients()
        if not len(inputs):  # more ranks than rows
            return
        micro_batches = zip(inputs.split(self._micro_batch), targets.split(self._micro_batch), strict=True)
        try:
            for some_inputs, some_targets in micro_batches:
                loss = (self._compiled_loss or self.model.loss)(some_inputs, some_targets)
                if len(some_inputs) < self._config.batch_size:
                    loss = loss * (len(some_inputs) / self._config.batch_size)
                loss.backward()
                self._flat.loss += loss.detach()
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise MicroBatchTooLarge from error
            raise

    def _halve_micro_batch(self) -> None:
        if self._micro_batch == 1 and self._runner.captures:
            self._runner.stay_eager("a graph of them does not fit into the memory")
            return
        if self._micro_batch == 1:
            raise OutOfMemoryError(
                f"one sequence of {self.model.config.context_length} tokens at a time does not fit into the memory; "
                "choose a smaller model or a shorter context"
            )
        self._micro_batch = -(-self._micro_batch // 2)
        self.free_memory()
        self._notes.warn(
            f"the memory ran out; going on with {self._micro_batch} sequences at a time, the batch stays whole"
        )
        if self._runner.captures and self._config.batch_size > MOST_MICRO_BATCHES * self._micro_batch:
            self._runner.stay_eager(f"a graph of more than {MOST_MICRO_BATCHES} micro-batches gains nothing")
