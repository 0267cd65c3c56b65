"""CUDA graphs: the kernels of a callable, captured once and then launched together, again and again.

A small model's step is some hundred short kernels, and a GPU waits for each of them to be launched. Replaying a graph
launches all of them at once, on the memory and with the numbers that they had at the capture (PyTorch's notes on CUDA
graphs). So whatever differs from one replay to the next must lie in tensors that stay at the same place.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import torch

Work = Callable[[], None]


class CudaGraphCapture:
    """Captures CUDA graphs on one device. Warm-up and capture take place on one side stream, as CUDA requires."""

    name = "one CUDA graph"  # what users read

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.Stream(device)

    def warm_up(self, work: Work) -> None:
        """Run `work` eagerly on the side stream, so that libraries choose their kernels before a capture."""
        outside = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(outside)
        try:
            with torch.cuda.stream(self._stream):
                work()
        finally:
            outside.wait_stream(self._stream)

    def capture(self, work: Work) -> Work:
        """What replays the kernels of `work`, of which nothing is computed here.

        Dropout in it draws from the default generator with each replay. Raises what `work` raises, and RuntimeError
        where it does what no graph can, such as waiting for the device.
        """
        device = self._stream.device
        outside, generator = torch.cuda.current_stream(device), torch.cuda.default_generators[device.index]
        before, pool = generator.clone_state(), torch.cuda.graph_pool_handle()
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.device(device), torch.cuda.graph(graph, pool, self._stream):
                work()
        except BaseException:  # a capture that breaks off may leave its stream and its generator behind as they are
            torch.cuda.set_stream(outside)
            with suppress(RuntimeError):
                generator.graphsafe_set_state(before)
            if not _has_ended(graph):
                _abandon(pool, device.index)
            raise
        return graph.replay


def _has_ended(graph: torch.cuda.CUDAGraph) -> bool:
    """Whether the capture was brought to an end, though the work in it failed: then the graph frees its own memory."""
    try:
        graph.pool()
    except RuntimeError:
        return False
    return True


def _abandon(pool: tuple[int, int], device: int) -> None:
    """Let the allocator go on as before a capture that CUDA broke off, and its memory be used again.

    Else torch would go on to allocate from the pool, and never free it.
    """
    for give_back in (torch._C._cuda_endAllocateToPool, torch._C._cuda_releasePool):
        with suppress(RuntimeError, AttributeError):  # what torch has done already
            give_back(device, pool)
