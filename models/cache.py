"""The key/value cache of a decoder: static tensors that a generation fills from left to right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from .config import ModelConfig


class KVCache:
    """Keys and values of every layer, [n_layer][batch_size, kv_heads, max_length, head_dim], until `grow`.

    `length` counts the positions that are filled; the model advances it at the end of a forward pass. A cache that is
    full is the caller's to reset or truncate: the model raises ValueError rather than overwrite.
    """

    def __init__(
        self,
        config: ModelConfig,
        batch_size: int,
        max_length: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.batch_size, self.max_length, self.length = batch_size, max_length, 0
        shape = (config.n_layer, 2, batch_size, config.kv_heads, max_length, config.size_per_head)
        self._hold(torch.zeros(shape, device=device, dtype=dtype))

    def _hold(self, both: Tensor) -> None:
        """Keys and values of all layers, as one tensor."""
        self._both = both
        self.keys, self.values = list(both[:, 0]), list(both[:, 1])  # views [batch, kv_heads, max_length, head_dim]

    def reset(self) -> None:
        """Forget everything; the memory stays."""
        self.length = 0

    def truncate(self, length: int) -> None:
        """Keep the first `length` positions. Raises ValueError for more than there are."""
        if not 0 <= length <= self.length:
            raise ValueError(f"cannot truncate a cache of {self.length} positions to {length}")
        self.length = length

    def grow(self, max_length: int) -> None:
        """Move to memory for `max_length` positions; what was filled stays."""
        longer = self._both.new_zeros((*self._both.shape[:4], max_length, self._both.shape[5]))
        longer[..., : self.length, :] = self._both[..., : self.length, :]
        self._hold(longer)
        self.max_length = max_length

    def rows(self, indices: Sequence[int]) -> KVCache:
        """A cache of its own with these rows of the batch, in this order; one may stand there several times."""
        copy = object.__new__(KVCache)
        copy.batch_size, copy.max_length, copy.length = len(indices), self.max_length, self.length
        filled, shape = self._both[..., : self.length, :], list(self._both.shape)
        shape[2] = len(indices)
        copy._hold(self._both.new_empty(shape))
        copy._both[..., : self.length, :] = filled.index_select(2, torch.tensor(indices, device=filled.device))
        return copy

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows alone, in this order; each stays, or moves to a place before it that has no row."""
        for place, row in enumerate(rows):
            if place != row:
                self._both[:, :, place, :, : self.length] = self._both[:, :, row, :, : self.length]
        self._hold(self._both[:, :, : len(rows)])
        self.batch_size = len(rows)

    def extend(self, layer: int, keys: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Write [batch, kv_heads, new, head_dim] behind the filled positions; all of that layer so far comes back."""
        start, new = self.length, keys.shape[2]
        self.keys[layer].narrow(2, start, new).copy_(keys)
        self.values[layer].narrow(2, start, new).copy_(values)
        return self.keys[layer].narrow(2, 0, start + new), self.values[layer].narrow(2, 0, start + new)

    def places(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """For one new position, layer by layer: where its key and its value belong, [2, batch, kv_heads, head_dim].

        Then all keys including that place, as columns, [batch * kv_heads, head_dim, length + 1], and all values,
        [batch * kv_heads, length + 1, head_dim].
        """
        new = self._both.select(4, self.length).unbind(0)
        keys, values = self._both.narrow(4, 0, self.length + 1).flatten(2, 3).unbind(1)
        return zip(new, keys.mT.unbind(0), values.unbind(0), strict=True)

    @property
    def memory(self) -> int:
        """Bytes that the tensors take."""
        return self._both.numel() * self._both.element_size()
