"""Tokens on the device, and batches of them. A batch is one gather; nothing here synchronizes with the device."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .epoch_order import BLOCK, DataOrder, EpochOrder

__all__ = ["BatchStream", "DataOrder", "TokenDataset", "sliding_window_starts", "validation_windows"]


@dataclass(frozen=True)
class TokenDataset:
    """A corpus as token ids: 1-D tensors on the device.

    On the CPU their type is the narrowest of uint8, uint16 and int32, and they may be mapped from a file of the cache;
    on other devices, which have few operations for uint16, they are uint8 or int32.
    """

    train: Tensor
    validation: Tensor
    validation_bytes: int  # UTF-8 bytes of the text that the validation tokens stand for, for bits per byte
    left_out: Mapping[str, int] = field(default_factory=dict)  # how often each character without a token was left out


class BatchStream:
    """An endless stream of training batches from a 1-D tensor of tokens.

    `shuffle` cuts each epoch into windows of `context_length`, from an offset of its own, and visits each exactly once
    in random order; a batch may cross from one epoch to the next. `random` draws as many independent offsets instead.
    The order of an epoch depends on `seed` and its number alone, so the state is three integers.
    """

    def __init__(
        self, tokens: Tensor, context_length: int, batch_size: int, *, order: DataOrder = "shuffle", seed: int = 0
    ) -> None:
        if len(tokens) <= context_length:
            raise ValueError(f"{len(tokens)} tokens are too few for a window of {context_length} and its last target")
        self._tokens = tokens
        self._context_length = context_length
        self._batch_size = batch_size
        self._order: DataOrder = order
        self._seed = seed
        self._window = torch.arange(context_length + 1, device=tokens.device)
        self._start_epoch(epoch=0, cursor=0)

    @property
    def windows_per_epoch(self) -> int:
        """Sequences in one pass over the tokens."""
        return (len(self._tokens) - 1) // self._context_length

    @property
    def epoch(self) -> float:
        """Passes over the tokens so far, with the fraction of the current one."""
        return self._epoch + self._cursor / len(self._epoch_order)

    def next_batch(self, rows: slice = slice(None)) -> tuple[Tensor, Tensor]:
        """Inputs, and targets, which are the inputs shifted by one token: both (batch_size, context_length), int64.

        `rows` selects some rows of the batch; the batch after it is the same whatever was selected.
        """
        index = self._next_starts()[rows, None] + self._window
        windows = self._tokens[index]
        return windows[:, :-1].long(), windows[:, 1:].long()

    def state_dict(self) -> dict[str, int]:
        """All that `load_state_dict` needs to continue with the next batch."""
        return {"seed": self._seed, "epoch": self._epoch, "cursor": self._cursor}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continue where the stream was that gave `state`; tokens and context length must be the same.

        Raises ValueError for a position that the tokens do not have.
        """
        self._seed, epoch, cursor = int(state["seed"]), int(state["epoch"]), int(state["cursor"])
        if epoch >= 0 and cursor >= 0:
            self._start_epoch(epoch, cursor)
        if min(epoch, cursor) < 0 or cursor > len(self._epoch_order):
            raise ValueError(f"the text has no window {cursor:,} in an epoch {epoch:,}")

    def _next_starts(self) -> Tensor:
        """The positions, (batch_size,), at which the windows of the next batch begin."""
        pieces = [self._take(self._batch_size)]
        missing = self._batch_size - len(pieces[0])
        while missing:
            if self._cursor == len(self._epoch_order):
                self._start_epoch(self._epoch + 1, 0)
            pieces.append(self._take(missing))
            missing -= len(pieces[-1])
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces)

    def _take(self, count: int) -> Tensor:
        """Up to `count` positions, as many as the current block still has."""
        block, first = divmod(self._cursor, BLOCK)
        if block != self._block:
            self._load_block(block)
        taken = self._starts[first : first + count]
        self._cursor += len(taken)
        return taken

    def _start_epoch(self, epoch: int, cursor: int) -> None:
        self._epoch, self._cursor = epoch, cursor
        seed = f"{self._seed}:{epoch}"
        self._epoch_order = EpochOrder(len(self._tokens), self._context_length, self._order, seed)
        self._load_block(cursor // BLOCK)

    def _load_block(self, block: int) -> None:
        self._block, starts = block, self._epoch_order.block(block)
        if self._tokens.is_cuda:  # from pinned memory the copy waits for nothing
            starts = starts.pin_memory()
        self._starts = starts.to(self._tokens.device, non_blocking=self._tokens.is_cuda)


def validation_windows(tokens: Tensor, context_length: int, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The `full` protocol: windows side by side, so that every token but the first is predicted exactly once.

    Yields inputs and targets, int64, of up to `batch_size` full windows (B, context_length); the tokens that are left
    over come last as one short window (1, rest).
    """
    full = (len(tokens) - 1) // context_length
    end = full * context_length
    inputs, targets = tokens[:end].view(full, context_length), tokens[1 : end + 1].view(full, context_length)
    for some_inputs, some_targets in zip(inputs.split(batch_size), targets.split(batch_size), strict=True):
        if full:
            yield some_inputs.long(), some_targets.long()
    if end < len(tokens) - 1:
        yield tokens[None, end:-1].long(), tokens[None, end + 1 :].long()


def sliding_window_starts(n_tokens: int, context_length: int) -> tuple[Tensor, Tensor]:
    """The `sliding` protocol: windows a quarter of the context apart, the last one at the end of the text.

    Returns where the windows begin, and for each the first position whose next token no earlier window has predicted:
    so each token but the first is predicted once, with at least three quarters of the context, or all that there is.
    """
    last = n_tokens - 1 - context_length
    starts = torch.cat((torch.arange(0, last, max(1, context_length // 4)), torch.tensor([last])))
    return starts, torch.cat((starts[:1], starts[:-1] + context_length))
