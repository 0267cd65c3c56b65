"""How many updates the CPU launches before the GPU has finished them."""

from __future__ import annotations

import time
from collections import deque

import torch

_MOST = 4  # updates
_LONGEST = 0.2  # seconds


class UpdatesInFlight:
    """Keeps the CPU some updates ahead of a GPU, as many as take it a fifth of a second, four at most.

    The GPU always has work meanwhile, and a stop or a report is not late. Other devices need no limit.
    """

    def __init__(self, device: torch.device) -> None:
        self._limited = device.type == "cuda"
        self._events: deque[torch.cuda.Event] = deque()
        self._ahead, self._waited_at = 0, time.perf_counter()

    def launched(self) -> None:
        """An update was launched: wait until all but the latest few are finished."""
        if not self._limited:
            return
        event = torch.cuda.Event(blocking=True)
        event.record()
        self._events.append(event)
        finished = len(self._events) - self._ahead
        if finished <= 0:
            return
        for _ in range(finished):
            self._events.popleft().synchronize()
        now = time.perf_counter()
        seconds = (now - self._waited_at) / finished  # of an update, or more where the GPU had to wait
        self._ahead, self._waited_at = min(_MOST, int(_LONGEST / max(seconds, 1e-9))), now
