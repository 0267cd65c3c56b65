"""A model that learns: one update after another from a stream of batches, and all that is needed to go on exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from ....models.gpt import GPT
from ....models.recipe import TrainingConfig
from ..errors import OutOfMemoryError
from ..group import Group, Instruction
from .compile import Loss, compiled
from .cuda_graph import Given, Lead, OutOfMemory, UpdatePath, is_out_of_memory, recorder_for
from .ema import WeightAverage
from .flat_parameters import FlatParameters
from .learner import Learner
from .memory import micro_batch_within_memory
from .optimizers import build_optimizer


class ReplicatedLearner(Learner):
    """A learner that holds the whole model, its optimizer and its average.

    `note` receives a sentence when the memory ran out and the micro-batch was halved, or when updates can be neither
    compiled nor recorded as they were to be; `tell` one when they are. The learners of a `group` are equal after each
    update: every one learns from its rows of the same batch.
    """

    def __init__(
        self,
        model: GPT,
        train_tokens: Tensor,
        config: TrainingConfig,
        note: Callable[[str], None],
        group: Group | None = None,
        tell: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        super().__init__(model, train_tokens, config, group)
        self._note, self._tell = note, tell
        self._to_compile = config.compile == "on"
        self._compiled_loss: Loss | None = None
        self._path = UpdatePath(recorder_for(self.device, config, group), tell, note)
        self._lead = Lead(self.device)
        self._flat = FlatParameters(model)
        self._optimizer = build_optimizer(model, self._flat, config, group)
        self._average = WeightAverage(self._flat.values, config.average) if config.average else None
        wanted = config.micro_batch_size or config.batch_size
        self._micro_batch = micro_batch_within_memory(model.config, config, model.compute_dtype, self.device, group)
        if self._micro_batch < wanted:
            note(f"the memory has room for {self._micro_batch} sequences at a time; the batch stays whole")
        self._clipped_norm = torch.zeros((), device=self.device)  # the gradient's, before it was clipped
        self._given: Given | None = None
        rows, length = config.batch_size, model.config.context_length
        self._fixed = Given.at_one_place(rows, length, self.device) if self._path.records else None
        self._rows = slice(None)
        if group:
            bounds = [config.batch_size * rank // group.size for rank in (group.rank, group.rank + 1)]
            self._rows = slice(*bounds)
            self._hand_over()

    def update(self, factor: float) -> None:
        """One optimizer step on the whole batch, or on this process's rows of it.

        Raises OutOfMemoryError, LostProcessError.
        """
        if self.group and self.group.rank == 0:
            self.group.instruct(Instruction.UPDATE, factor)
        self._enter_update()
        inputs, targets = self._stream.next_batch(self._rows)
        if self._to_compile:
            self._compile(inputs, targets)
        share = self._average.share(self.step + 1) if self._average else 0.0
        self._given = Given(inputs, targets, factor, share)
        if self._fixed:
            self._fixed.become(self._given)
            self._given = self._fixed
        while not self._fits():
            self._halve_micro_batch()
        self._count_update(self._flat.loss)
        self._lead.sent()

    def _compile(self, inputs: Tensor, targets: Tensor) -> None:
        """Let torch compile the loss of a micro-batch, if it can."""

        def try_out(loss: Loss) -> None:
            rows = slice(self._micro_batch)
            loss(inputs[rows], targets[rows]).backward()  # each update begins with gradients of zero

        self._to_compile = False
        self._compiled_loss = compiled(self.model.loss, self._tell, self._note, try_out)

    def _fits(self) -> bool:
        """Carry out the update; False, with nothing changed, where memory ran out."""
        try:
            self._path.run(self._compute)
        except OutOfMemory:
            return False
        return True

    def _compute(self) -> None:
        """The whole update, from a batch to new weights: the same operators on the same tensors each time.

        It leaves its results in tensors that were there before: a recording writes to those that it was made with.
        """
        given = self._given
        assert given
        self._accumulate(given.inputs, given.targets)
        if self.group:
            self.group.all_reduce(self._flat.sums)
        if self._config.gradient_clip:
            self._clipped_norm.copy_(self._flat.clip_gradients(self._config.gradient_clip))
        self._optimizer.step(given.factor)
        if self._average:
            self._average.update(given.share)

    def gradient_norm(self) -> float:
        """The norm of the last gradient, before clipping. Waits for the device."""
        norm = self._clipped_norm if self._config.gradient_clip else self._flat.gradients.norm()
        return norm.item()

    def is_finite(self) -> bool:
        """Whether every weight is a number."""
        return bool(self._flat.values.isfinite().all())

    @contextmanager
    def averaged(self) -> Iterator[GPT]:
        """The model, with the averaged weights within the context where an average is asked for."""
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
        return state | self._place() | {"micro_batch": torch.tensor(self._micro_batch)}

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
                self._begin_average()
                self._flat.values.copy_(state["weights"])
            self._micro_batch = int(state["micro_batch"])
            self._go_to(state)
            self._hand_over()
        except (KeyError, RuntimeError, TypeError) as error:
            raise ValueError(f"the resume state does not fit this run ({error})") from error

    def broadcast_state(self) -> None:
        """Take over weights, optimizer and place in the data from the first process; all of a group call this."""
        assert self.group
        for tensor in (self._flat.values, *self._optimizer.state_dict().values()):
            self.group.broadcast(tensor)
        if self._average:
            self.group.broadcast(self._average.average)
        self._share_place(self.group)

    def _begin_average(self) -> None:
        if self._average:
            self._average.average.copy_(self._flat.values)

    def _accumulate(self, inputs: Tensor, targets: Tensor) -> None:
        """Sum the gradients and the loss of rows of a batch (B, T), micro-batch by micro-batch. Raises OutOfMemory."""
        self._flat.zero_gradients()
        if not len(inputs):  # more processes than rows
            return
        pieces = zip(inputs.split(self._micro_batch), targets.split(self._micro_batch), strict=True)
        try:
            for some_inputs, some_targets in pieces:
                loss = (self._compiled_loss or self.model.loss)(some_inputs, some_targets)
                if len(some_inputs) < self._config.batch_size:
                    loss = loss * (len(some_inputs) / self._config.batch_size)
                loss.backward()
                self._flat.loss += loss.detach()
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise OutOfMemory from error
            raise

    def _halve_micro_batch(self) -> None:
        if self._micro_batch == 1 and self._path.records:
            self._path.give_up("a recording of them does not fit into the memory")
            return
        if self._micro_batch == 1:
            raise OutOfMemoryError(
                f"one sequence of {self.model.config.context_length} tokens at a time does not fit into the memory; "
                "choose a smaller model or a shorter context"
            )
        self._micro_batch = -(-self._micro_batch // 2)
        self._path.forget()
        if self.device.type != "cpu":
            torch.get_device_module(self.device).empty_cache()
        self._note(f"the memory ran out; going on with {self._micro_batch} sequences at a time, the batch stays whole")
