"""How the operators of an update reach the device: one by one, or recorded once and replayed as a whole.

A small model's update is some hundred short operators, and a GPU waits for each of them to be sent. A recording (a CUDA
graph) sends all of them at once, with the addresses and numbers that they had when it was made. So whatever differs
from one update to the next must lie in tensors that stay at their place.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ....models.recipe import TrainingConfig
from ..group import Group

WARM_UP = 3  # updates before the recording: libraries choose their kernels, and buffers find their place
LEAD = 4  # updates that are sent and not yet done

Work = Callable[[], None]


@dataclass
class Given:
    """What differs from one update to the next, as its operators read it."""

    inputs: Tensor  # (B, T), as are the targets
    targets: Tensor
    factor: float | Tensor  # of the learning rates
    share: float | Tensor  # of the new weights in their average

    @classmethod
    def at_one_place(cls, rows: int, length: int, device: torch.device) -> Given:
        """With tensors alone, which a recording goes on reading."""
        inputs, targets = torch.zeros(2, rows, length, dtype=torch.long, device=device)
        factor, share = torch.zeros(2, device=device)
        return cls(inputs, targets, factor, share)

    def become(self, other: Given) -> None:
        """Take over other values, where the tensors are; nothing waits for the device."""
        self.inputs.copy_(other.inputs)
        self.targets.copy_(other.targets)
        for place, value in ((self.factor, other.factor), (self.share, other.share)):
            assert isinstance(place, Tensor)
            place.fill_(value)


class OutOfMemory(Exception):
    """The memory ran out before anything was changed: the same update can be tried again with less at a time."""


class Recorder(Protocol):
    """Makes recordings of work on a device."""

    name: str  # of a recording, for the person

    def run(self, work: Work) -> None:
        """Carry out `work` operator by operator, where it will be recorded."""
        ...

    def record(self, work: Work) -> Work:
        """What replays the operators of `work`; they are not carried out by this."""
        ...


class UpdatePath:
    """Carries out the same work again and again: operator by operator at first, then as its recording.

    Where no recording can be made, the work goes on operator by operator, and `warn` receives a sentence with the
    reason; `tell` receives one when the recording takes over.
    """

    def __init__(self, recorder: Recorder | None, tell: Callable[[str], None], warn: Callable[[str], None]) -> None:
        self._recorder, self._tell, self._warn = recorder, tell, warn
        self._replay: Work | None = None
        self._runs = 0

    @property
    def records(self) -> bool:
        """Whether the work is, or will be, replayed."""
        return self._recorder is not None

    def run(self, work: Work) -> None:
        """Carry out `work` once. Raises OutOfMemory where the work does so, and where its recording does not fit."""
        if self._replay is None and self._recorder and self._runs >= WARM_UP:
            self._record(self._recorder, work)
        if self._replay:
            self._replay()
        elif self._recorder:
            self._recorder.run(work)
            self._runs += 1
        else:
            work()

    def forget(self) -> None:
        """The work has changed: it is to be recorded anew."""
        self._replay, self._runs = None, 0

    def give_up(self, reason: str) -> None:
        """Replay nothing from here on, for a `reason` that the person is told."""
        self._recorder = self._replay = None
        self._warn(f"the updates go on operator by operator: {reason}")

    def _record(self, recorder: Recorder, work: Work) -> None:
        try:
            self._replay = recorder.record(work)
        except Exception as error:  # whatever a driver may say: the work itself has not begun
            if is_out_of_memory(error):
                raise OutOfMemory from error
            self.give_up(f"{recorder.name} could not be recorded ({str(error).partition(chr(10))[0]})")
        else:
            self._tell(f"each update is now {recorder.name}")


class CudaGraphs:
    """Records CUDA graphs. Warm-up and recording take place on one stream of their own, as CUDA wants it."""

    name = "one CUDA graph"

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.Stream(device)

    def run(self, work: Work) -> None:
        """Carry out `work` on the stream of the recordings, after all that was asked for before."""
        outside = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(outside)
        try:
            with torch.cuda.stream(self._stream):
                work()
        finally:
            outside.wait_stream(self._stream)

    def record(self, work: Work) -> Work:
        """Capture `work`; dropout in it goes on drawing from the default generator with each replay."""
        outside, generator = torch.cuda.current_stream(self._stream.device), self._generator
        before = generator.clone_state()
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, stream=self._stream):
                work()
        except BaseException:  # a capture that breaks off may leave its stream and its generator behind as they are
            torch.cuda.set_stream(outside)
            with suppress(RuntimeError):
                generator.graphsafe_set_state(before)
            raise
        return graph.replay

    @property
    def _generator(self) -> torch.Generator:
        """Dropout's on this device."""
        return torch.cuda.default_generators[self._stream.device.index]


class Lead:
    """Keeps the processor a few updates ahead of a GPU and no more, so that a stop or a report is not late.

    The GPU always has work meanwhile. Elsewhere it does nothing.
    """

    def __init__(self, device: torch.device) -> None:
        self._on = device.type == "cuda"
        self._under_way: deque[torch.cuda.Event] = deque()

    def sent(self) -> None:
        """An update was sent to the device: wait until all but the latest few are done."""
        if not self._on:
            return
        event = torch.cuda.Event(blocking=True)
        event.record()
        self._under_way.append(event)
        if len(self._under_way) > LEAD:
            self._under_way.popleft().synchronize()


def can_record(device: torch.device, config: TrainingConfig, group: Group | None) -> bool:
    """Whether updates are to be recorded: several processes wait for each other within one, which no recording can."""
    return device.type == "cuda" and config.cuda_graph == "auto" and group is None


def recorder_for(device: torch.device, config: TrainingConfig, group: Group | None) -> Recorder | None:
    """What records updates on `device`; None where nothing does, or nothing is to."""
    return CudaGraphs(device) if can_record(device, config, group) else None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, be it the device's or while an error about that was handled."""
    if isinstance(error, (OutOfMemory, torch.OutOfMemoryError)) or "out of memory" in str(error):
        return True
    return error.__context__ is not None and is_out_of_memory(error.__context__)
