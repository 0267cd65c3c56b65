"""The processes that train one run together, and what they say to each other.

The first process decides everything: it alone reads commands and clocks, and writes the run's folder. The others do
what it tells them (`follower`), and each computes its share. An order is one small broadcast between CPUs, so that no
accelerator is waited for; weights, gradients and sums go from device to device.
"""

from __future__ import annotations

import contextlib
import datetime
import enum
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import Store  # pyright: ignore[reportPrivateImportUsage]
from torch.distributed.rendezvous import rendezvous

from .errors import LostProcessError

TIMEOUT = datetime.timedelta(minutes=10)  # after which a process that takes no part counts as lost
_PATIENCE = datetime.timedelta(days=365)  # for the next order: a run may be paused for long
_PIECE = 1 << 26  # bytes that are sent at once
_FAILED = "minigpt-failed"


class Order(enum.IntEnum):
    """What the first process tells the others."""

    END = 0
    BEGIN = 1  # with a model and a text, which follow
    TAKE_OVER = 2  # weights, optimizer and place in the text, which follow
    UPDATE = 3  # with the learning rates times the value
    EVALUATE = 4
    PROCEED = 5  # with the evaluation that is under way
    GIVE_UP = 6  # that evaluation
    # where the model is spread over the processes, these as well:
    CHECK = 7  # that every weight is a number
    EXCHANGE = 8  # the weights for their average, or back
    GATHER = 9  # the parameter of that number
    COMPUTE = 10  # a pass with a cache of that length, for a sample, whose tokens follow
    WRITE = 11  # the state into the folder that follows


class Group:
    """The processes of a run, as one of them sees them. All methods but `report` raise LostProcessError."""

    def __init__(self, store: Store, rank: int, size: int) -> None:
        self.rank, self.size, self._store = rank, size, store
        self.local_rank = int(os.environ.get("LOCAL_RANK", rank))
        self.local_size = int(os.environ.get("LOCAL_WORLD_SIZE", size))
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and dist.is_nccl_available() else "gloo"
        with self.together():
            dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=TIMEOUT)
            self._orders = cast(dist.ProcessGroup, dist.new_group(backend="gloo", timeout=_PATIENCE))

    @property
    def leads(self) -> bool:
        """Whether this is the first process."""
        return self.rank == 0

    def order(self, order: Order, value: float = 0.0) -> None:
        """The first process's order to all others, which they take when they have carried out the one before."""
        with self.together():
            dist.broadcast(torch.tensor([order, value], dtype=torch.float64), 0, group=self._orders)

    def next_order(self) -> tuple[Order, float]:
        """Wait for the first process's next order and its value."""
        message = torch.empty(2, dtype=torch.float64)
        with self.together():
            dist.broadcast(message, 0, group=self._orders)
        order, value = message.tolist()
        return Order(int(order)), value

    def share(self, tensor: Tensor) -> None:
        """Overwrite a contiguous tensor, of any type, with the first process's."""
        with self.together():
            for piece in tensor.detach().view(-1).view(torch.uint8).split(_PIECE):
                dist.broadcast(piece, 0)

    def share_text(self, text: str = "") -> str:
        """The first process's text."""
        content = torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8) if text else torch.empty(0)
        length = torch.tensor([len(content)])
        self.share(length)
        if not self.leads:
            content = torch.empty(int(length), dtype=torch.uint8)
        self.share(content)
        return bytes(content.tolist()).decode()

    def add_up(self, tensor: Tensor) -> None:
        """Replace a tensor by its sum over all processes."""
        with self.together():
            dist.all_reduce(tensor)

    def collect(self, share: Tensor) -> Tensor:
        """The shares (n, ...) of all processes, one after the other: (size * n, ...)."""
        whole = share.new_empty(self.size * len(share), *share.shape[1:])
        with self.together():
            dist.all_gather(list(whole.chunk(self.size)), share)
        return whole

    def exchange(self, pieces: Tensor) -> Tensor:
        """Send pieces[i] to process i; what came from each, in their order and in the same shape."""
        received = torch.empty_like(pieces)
        with self.together():
            dist.all_to_all_single(received, pieces)
        return received

    def report(self, sentence: str) -> None:
        """Leave word why this process fails, for whoever misses it."""
        with contextlib.suppress(RuntimeError):
            self._store.set(_FAILED, sentence)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Turn what fails in here, but for want of memory, into LostProcessError: a process is gone, or all fail."""
        try:
            yield
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise LostProcessError(self._farewell()) from error

    def _farewell(self) -> str:
        with contextlib.suppress(RuntimeError):
            if self._store.check([_FAILED]):
                return (
                    f"one of the {self.size} processes that train together failed: {self._store.get(_FAILED).decode()}"
                )
        return (
            f"one of the {self.size} processes that train together was lost; resume the run to go on from its last "
            "checkpoint"
        )


@contextmanager
def joined() -> Iterator[Group | None]:
    """Meet the other processes where torchrun started several; None for a process that trains alone.

    At the end of the context the first process dismisses the others; after a failure it leaves, which ends them too.
    Raises LostProcessError where they do not come.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield None
        return
    try:
        store, rank, size = next(rendezvous("env://", timeout=TIMEOUT))
    except (RuntimeError, ValueError) as error:
        raise LostProcessError(f"the processes that train together do not find each other ({error})") from error
    group = Group(store, rank, size)
    yield group
    # after a failure neither of these, which could wait for a process that is lost or waits for this one
    if group.leads:
        group.order(Order.END)
    dist.destroy_process_group()
