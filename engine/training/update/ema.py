"""An exponential average of the weights: smoother than the weights themselves, and mostly better on unseen text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


def share_of_newest(decay: float, step: int) -> float:
    """What the weights after `step` steps are to make up; early on it is more, so the start weighs little."""
    return 1 - min(decay, (1 + step) / (10 + step))


class WeightAverage:
    """The average of `values`, all weights of a model in one tensor, over roughly the last 1 / (1 - decay) steps."""

    def __init__(self, values: Tensor, decay: float) -> None:
        self._values, self._decay = values, decay
        self.average = values.clone()

    def share(self, step: int) -> float:
        """What the weights after `step` steps are to make up."""
        return share_of_newest(self._decay, step)

    @torch.no_grad()
    def update(self, share: float | Tensor) -> None:
        """Take in the weights as they are now, as `share` of the average; a tensor () lies on their device."""
        self.average.lerp_(self._values, share)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within the context the model has the averaged weights; afterwards its own again, bit for bit."""
        own = self._values.clone()
        self._values.copy_(self.average)
        try:
            yield
        finally:
            self._values.copy_(own)
