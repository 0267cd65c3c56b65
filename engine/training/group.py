"""The processes (ranks) that train one run together, and what they send each other.

Rank 0 decides everything: it alone reads commands and clocks, and writes the run's folder. The other ranks carry out
its instructions (`follower`), each on its rows of the batch. An instruction is one small broadcast between CPUs, so
that it waits for no accelerator; weights, gradients and sums go from device to device.
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

TIMEOUT = datetime.timedelta(minutes=10)  # after which a process that joins no collective counts as lost
_INSTRUCTION_TIMEOUT = datetime.timedelta(days=365)  # a run may be paused for long
_BROADCAST_BYTES = 1 << 26  # sent at once
_FAILURE_KEY = "minigpt-failed"


class Instruction(enum.IntEnum):
    """What rank 0 tells the other ranks to do."""

    END = 0
    BEGIN = 1  # with the configuration and the tokens that follow
    LOAD_STATE = 2  # weights, optimizer and position in the data, which follow
    UPDATE = 3  # the value is the factor of the learning rates
    EVALUATE = 4
    CONTINUE_EVALUATION = 5
    END_EVALUATION = 6  # before its last pass
    # for a sharded model, these as well:
    CHECK_FINITE = 7  # all weights
    SWAP_EMA = 8  # the weights for their average, or back
    GATHER = 9  # the value is the number of a parameter
    FORWARD = 10  # of tokens that follow, for a sample; the value is the length of the KV cache
    WRITE_SHARDS = 11  # into the folder that follows


class Group:
    """The processes of a run, as one of them sees them.

    `local_rank` and `local_size` count those on the same machine. All methods but `report_failure` are collective and
    raise LostProcessError.
    """

    def __init__(self, store: Store, rank: int, size: int) -> None:
        self.rank, self.size, self._store = rank, size, store
        self.local_rank = int(os.environ.get("LOCAL_RANK", rank))
        self.local_size = int(os.environ.get("LOCAL_WORLD_SIZE", size))
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and dist.is_nccl_available() else "gloo"
        with self.collective():
            dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=TIMEOUT)
            between_cpus = dist.new_group(backend="gloo", timeout=_INSTRUCTION_TIMEOUT)
            self._instructions = cast(dist.ProcessGroup, between_cpus)

    def instruct(self, instruction: Instruction, value: float = 0.0) -> None:
        """Send an instruction from rank 0 to all other ranks, which read it when the one before is carried out."""
        with self.collective():
            dist.broadcast(torch.tensor([instruction, value], dtype=torch.float64), 0, group=self._instructions)

    def next_instruction(self) -> tuple[Instruction, float]:
        """Wait for rank 0's next instruction and its value."""
        message = torch.empty(2, dtype=torch.float64)
        with self.collective():
            dist.broadcast(message, 0, group=self._instructions)
        instruction, value = message.tolist()
        return Instruction(int(instruction)), value

    def broadcast(self, tensor: Tensor) -> None:
        """Overwrite a contiguous tensor, of any type, with rank 0's."""
        with self.collective():
            for piece in tensor.detach().view(-1).view(torch.uint8).split(_BROADCAST_BYTES):
                dist.broadcast(piece, 0)

    def broadcast_text(self, text: str = "") -> str:
        """Rank 0's text; the others need not give one."""
        content = torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8) if text else torch.empty(0)
        length = torch.tensor([len(content)])
        self.broadcast(length)
        if self.rank != 0:
            content = torch.empty(int(length), dtype=torch.uint8)
        self.broadcast(content)
        return bytes(content.tolist()).decode()

    def all_reduce(self, tensor: Tensor) -> None:
        """Replace a tensor by its sum over all ranks."""
        with self.collective():
            dist.all_reduce(tensor)

    def all_gather(self, part: Tensor) -> Tensor:
        """The parts (n, ...) of all ranks, one after the other: (size * n, ...)."""
        whole = part.new_empty(self.size * len(part), *part.shape[1:])
        with self.collective():
            dist.all_gather(list(whole.chunk(self.size)), part)
        return whole

    def all_to_all(self, parts: Tensor) -> Tensor:
        """Send parts[i] to rank i; what came from each rank, in the order of ranks and in the same shape."""
        received = torch.empty_like(parts)
        with self.collective():
            dist.all_to_all_single(received, parts)
        return received

    def report_failure(self, sentence: str) -> None:
        """Leave word why this process fails, for the error that the other ranks raise."""
        with contextlib.suppress(RuntimeError):
            self._store.set(_FAILURE_KEY, sentence)

    @contextmanager
    def collective(self) -> Iterator[None]:
        """Turn errors of torch.distributed in here, except for lack of memory, into LostProcessError.

        They mean that a process is gone, or that all ranks fail.
        """
        try:
            yield
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise LostProcessError(self._why_lost()) from error

    def _why_lost(self) -> str:
        with contextlib.suppress(RuntimeError):
            if self._store.check([_FAILURE_KEY]):
                reason = self._store.get(_FAILURE_KEY).decode()
                return f"one of the {self.size} processes that train together failed: {reason}"
        return (
            f"one of the {self.size} processes that train together was lost; resume the run to go on from its last "
            "checkpoint"
        )


@contextmanager
def process_group() -> Iterator[Group | None]:
    """The group of the processes that torchrun started; None for a process that trains alone.

    At the end of the context rank 0 tells the others to end; after a failure it leaves without, which ends them too.
    Raises LostProcessError where the processes do not find each other.
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
    # not after a failure: both could wait for a process that is lost, or that waits for this one
    if group.rank == 0:
        group.instruct(Instruction.END)
    dist.destroy_process_group()
