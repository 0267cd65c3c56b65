"""How many updates the CPU launches before the GPU has finished them."""

from __future__ import annotations

from collections import deque

import torch

_MAX_IN_FLIGHT = 4


class UpdatesInFlight:
    """Keeps the CPU a few updates ahead of a GPU and no more, so that a stop or a report is not late.

    The GPU always has work meanwhile. Other devices need no limit.
    """

    def __init__(self, device: torch.device) -> None:
        self._limited = device.type == "cuda"
        self._events: deque[torch.cuda.Event] = deque()

    def launched(self) -> None:
        """An update was launched: wait until all but the latest few are finished."""
        if not self._limited:
            return
        event = torch.cuda.Event(blocking=True)
        event.record()
        self._events.append(event)
        if len(self._events) > _MAX_IN_FLIGHT:
            self._events.popleft().synchronize()
