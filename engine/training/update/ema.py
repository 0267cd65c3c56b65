"""An exponential moving average (EMA) of the weights: mostly better on unseen text than the weights themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


def weight_of_newest(decay: float, step: int) -> float:
    """1 - decay, with a smaller decay in the first steps, so that the initial weights soon count for little."""
    return 1 - min(decay, (1 + step) / (10 + step))


class WeightAverage:
    """The average of `values`, all weights of a model in one tensor, over roughly the last 1 / (1 - decay) steps."""

    def __init__(self, values: Tensor, decay: float) -> None:
        self._values, self._decay = values, decay
        self.average = values.clone()

    def weight_of_newest(self, step: int) -> float:
        """The share that the weights after `step` steps have in the average."""
        return weight_of_newest(self._decay, step)

    @torch.no_grad()
    def update(self, weight: float | Tensor) -> None:
        """Average += weight * (weights - average); a tensor () lies on their device."""
        self.average.lerp_(self._values, weight)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within the context the model has the averaged weights; afterwards its own again, bit for bit."""
        own = self._values.clone()
        self._values.copy_(self.average)
        try:
            yield
        finally:
            self._values.copy_(own)
