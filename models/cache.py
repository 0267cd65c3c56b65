"""The key/value cache of a decoder: static tensors that a generation fills from left to right.

A cache gives new positions their indices, stores their keys and values, and masks the positions that a query may not
attend to. A KVCache has its length as a Python number, a DeviceCache as a tensor on the device, so that each step of
the model runs the same kernels on the same tensors and can be captured in a CUDA graph.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

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
        self.both = both
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
        longer = self.both.new_zeros((*self.both.shape[:4], max_length, self.both.shape[5]))
        longer[..., : self.length, :] = self.both[..., : self.length, :]
        self._hold(longer)
        self.max_length = max_length

    def rows(self, indices: Sequence[int]) -> KVCache:
        """A cache of its own with these rows of the batch, in this order; one may stand there several times."""
        copy = object.__new__(KVCache)
        copy.batch_size, copy.max_length, copy.length = len(indices), self.max_length, self.length
        filled, shape = self.both[..., : self.length, :], list(self.both.shape)
        shape[2] = len(indices)
        copy._hold(self.both.new_empty(shape))
        copy.both[..., : self.length, :] = filled.index_select(2, torch.tensor(indices, device=filled.device))
        return copy

    def keep(self, rows: Sequence[int]) -> None:
        """Keep only these rows, in this order; each stays where it is, or moves to the place of a row that ended."""
        for place, row in enumerate(rows):
            if place != row:
                self.both[:, :, place, :, : self.length] = self.both[:, :, row, :, : self.length]
        self._hold(self.both[:, :, : len(rows)])
        self.batch_size = len(rows)

    def claim(self, new: int) -> slice:
        """The indices of the next `new` positions. Raises ValueError where the cache has no room for them."""
        if self.length + new > self.max_length:
            raise ValueError(f"{self.length + new} positions do not fit a cache of {self.max_length}")
        return slice(self.length, self.length + new)

    def advance(self, new: int) -> None:
        """The next positions have gone through all layers."""
        self.length += new

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Append keys and values, [batch, kv_heads, new, head_dim]; returns all of that layer so far."""
        start, new = self.length, keys.shape[2]
        self.keys[layer].narrow(2, start, new).copy_(keys)
        self.values[layer].narrow(2, start, new).copy_(values)
        return self.keys[layer].narrow(2, 0, start + new), self.values[layer].narrow(2, 0, start + new)

    def mask(self, queries: int, positions: int) -> Tensor | None:
        """The attention mask of the last `queries` of `positions`, [queries, positions], True where they may attend.

        None for a single query, which attends to everything, and where the mask is the plain causal one.
        """
        if 1 < queries < positions:
            return self.both.new_ones(queries, positions, dtype=torch.bool).tril(positions - queries)
        return None

    @property
    def memory(self) -> int:
        """Bytes that the tensors take."""
        return self.both.numel() * self.both.element_size()


class DeviceCache:
    """A cache for one new position at a time, whose index is in the tensor `position` [1].

    Attention reads the whole memory, or that of a `window`; later positions are masked. `read` is the same memory as an
    ordinary cache, for the prefill of a prompt; `resume` then sets the position.
    """

    def __init__(self, read: KVCache) -> None:
        self.read, self.max_length = read, read.max_length
        device = read.keys[0].device
        self.position = torch.zeros(1, dtype=torch.int64, device=device)
        self._all = torch.arange(read.max_length, device=device)
        self._visible = self._all

    def window(self, length: int) -> DeviceCache:
        """The same memory and position, of which attention reads the first `length` positions alone."""
        shorter = copy.copy(self)
        shorter._all = self._all[:length]
        return shorter

    def copy(self, cache: KVCache, length: int) -> None:
        """Let every row begin with the first `length` positions of the one row that `cache` holds."""
        for mine, theirs in zip(self.read.keys + self.read.values, cache.keys + cache.values, strict=True):
            mine[:, :, :length] = theirs[:, :, :length]

    def resume(self, length: int) -> None:
        """The next position comes after `length` others."""
        self.position.fill_(length)

    def claim(self, new: int) -> Tensor:
        """The index of the next position, on the device. Raises ValueError for more than one."""
        if new != 1:
            raise ValueError(f"{new} positions at once, and a position on the device is for one")
        behind = self._all > self.position
        self._visible = torch.zeros_like(behind, dtype=self.read.keys[0].dtype).masked_fill_(behind, -torch.inf)[None]
        return self.position

    def advance(self, new: int) -> None:
        """The position has gone through all layers."""
        self.position.add_(new)

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Write keys and values, [batch, kv_heads, 1, head_dim], at the position; returns those of the whole window."""
        mine = self.read.keys[layer], self.read.values[layer]
        for memory, new in zip(mine, (keys, values), strict=True):
            memory.index_copy_(2, self.position, new)
        return mine[0].narrow(2, 0, len(self._all)), mine[1].narrow(2, 0, len(self._all))

    def mask(self, queries: int, positions: int) -> Tensor:
        """0 for the filled positions, -inf for later ones of the window: [1, positions]."""
        return self._visible
