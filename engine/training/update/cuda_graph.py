"""How an update runs: eagerly, kernel by kernel, or as a replayed CUDA graph.

What differs from one update to the next reaches a graph through `UpdateInputs` that stay at the same place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ....models.fast.cuda_graph import CudaGraphCapture, Work
from ....models.recipe import TrainingConfig
from ..group import Group
from .memory import MicroBatchTooLarge, is_out_of_memory
from .notes import Notes

MOST_MICRO_BATCHES = 8  # of an update that is captured: with more the launches cost little, and a graph is a large one
WARM_UP = 3  # eager updates before the capture: libraries choose their kernels, and buffers are allocated


@dataclass
class UpdateInputs:
    """What differs from one update to the next, as its kernels read it."""

    inputs: Tensor  # (B, T), as are the targets
    targets: Tensor
    learning_rate_factor: float | Tensor
    ema_weight: float | Tensor  # of the newest weights in their average

    @classmethod
    def static(cls, rows: int, length: int, device: torch.device) -> UpdateInputs:
        """Tensors alone, which a graph goes on reading."""
        inputs, targets = torch.zeros(2, rows, length, dtype=torch.long, device=device)
        factor, weight = torch.zeros(2, device=device)
        return cls(inputs, targets, factor, weight)

    def copy_from(self, other: UpdateInputs) -> None:
        """Overwrite these tensors with other values; nothing waits for the device."""
        self.inputs.copy_(other.inputs)
        self.targets.copy_(other.targets)
        for static, value in (
            (self.learning_rate_factor, other.learning_rate_factor),
            (self.ema_weight, other.ema_weight),
        ):
            assert isinstance(static, Tensor)
            static.fill_(value)


class Capture(Protocol):
    """What captures graphs; `CudaGraphCapture`, or a stand-in on another device."""

    name: str  # of a graph, for the user

    def warm_up(self, work: Work) -> None:
        """Run `work` eagerly, where it will be captured."""
        ...

    def capture(self, work: Work) -> Work:
        """What replays the kernels of `work`; it is not carried out by this."""
        ...


class UpdateRunner:
    """Runs the same work again and again: `WARM_UP` times eagerly, then as a graph where there is a `capture`.

    Where no graph can be captured, the work goes on eagerly, and `notes` receives a warning with the reason; else a
    sentence when the graph takes over.
    """

    def __init__(self, capture: Capture | None, notes: Notes) -> None:
        self._capture, self._notes = capture, notes
        self._replay: Work | None = None
        self._eager_runs = 0

    @property
    def captures(self) -> bool:
        """Whether the work is, or will be, replayed as a graph."""
        return self._capture is not None

    def run(self, work: Work) -> None:
        """Carry out `work` once. Raises MicroBatchTooLarge where the work does so, and where its graph does not fit."""
        if self._replay is None and self._capture and self._eager_runs >= WARM_UP:
            self._try_capture(self._capture, work)
        if self._replay:
            self._replay()
        elif self._capture:
            self._capture.warm_up(work)
            self._eager_runs += 1
        else:
            work()

    def reset(self) -> None:
        """The work has changed: it is to be captured again."""
        self._replay, self._eager_runs = None, 0

    def stay_eager(self, reason: str) -> None:
        """Replay nothing from here on, for a `reason` that the user is told."""
        self._capture = self._replay = None
        self._notes.warn(f"the updates go on operator by operator: {reason}")

    def _try_capture(self, capture: Capture, work: Work) -> None:
        try:
            self._replay = capture.capture(work)
        except Exception as error:  # drivers raise many kinds; the work itself has not begun
            if is_out_of_memory(error):
                raise MicroBatchTooLarge from error
            self.stay_eager(f"{capture.name} could not be captured ({str(error).partition(chr(10))[0]})")
        else:
            self._notes.tell(f"each update is now {capture.name}")


def captures_updates(device: torch.device, config: TrainingConfig, group: Group | None) -> bool:
    """Whether updates become a CUDA graph.

    Ranks wait for each other within an update, which no graph can. Many micro-batches are long work, each with its own
    nodes in the graph: they gain nothing by it.
    """
    micro_batches = config.batch_size / (config.micro_batch_size or config.batch_size)
    return (
        device.type == "cuda" and config.cuda_graph == "auto" and group is None and micro_batches <= MOST_MICRO_BATCHES
    )


def update_capture(device: torch.device, config: TrainingConfig, group: Group | None) -> CudaGraphCapture | None:
    """What captures the updates on `device`; None where they stay eager."""
    return CudaGraphCapture(device) if captures_updates(device, config, group) else None
