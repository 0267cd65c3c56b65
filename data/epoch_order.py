"""The order in which an epoch visits the windows of a text, drawn a block at a time, in little memory.

It depends on the seed alone: it is drawn on the CPU, the same for every device.
"""

from __future__ import annotations

import random
from typing import Literal

import torch
from torch import Tensor

DataOrder = Literal["shuffle", "random"]

BLOCK = 1 << 16  # windows whose positions are computed at once: they fit into a CPU's cache
_TABLE = 1 << 20  # windows; up to this number, eight megabytes, the whole order is kept in memory
_ROUNDS = 4  # of the Feistel network; three are not enough against a chosen-ciphertext test (Luby and Rackoff, 1988)
_MIXERS = (0x9E3779B97F4A7C15 - (1 << 64), 0xBF58476D1CE4E5B9 - (1 << 64))  # the odd constants of splitmix64, as int64


class EpochOrder:
    """The positions at which the windows of one epoch begin; its length is their number.

    `shuffle` cuts the tokens into windows side by side, from an offset of its own, and visits each exactly once;
    `random` draws as many independent positions.
    """

    def __init__(self, n_tokens: int, context_length: int, order: DataOrder, seed: str) -> None:
        generator = _generator(seed)
        places = n_tokens - context_length  # a window and its last target fit at each of these
        self._order, self._seed, self._places = order, seed, places
        self._context_length, self._offset = context_length, 0
        self._length = (n_tokens - 1) // context_length
        if order == "shuffle":
            self._offset = int(torch.randint(min(context_length, places), (1,), generator=generator))
            self._length = len(range(self._offset, places, context_length))
        self._table: Tensor | None = None
        self._keys: list[int] = []
        if self._length > _TABLE:
            self._keys = torch.randint(1 << 62, (_ROUNDS,), generator=generator).tolist()
        elif order == "shuffle":
            self._table = self._starts(torch.randperm(self._length, generator=generator))
        else:
            self._table = torch.randint(places, (self._length,), generator=generator)

    def __len__(self) -> int:
        return self._length

    def block(self, number: int) -> Tensor:
        """The positions number * BLOCK and following, int64: BLOCK of them, fewer at the end, none beyond it."""
        first = number * BLOCK
        if self._table is not None:
            return self._table[first : first + BLOCK]
        last = max(first, min(first + BLOCK, self._length))
        if self._order == "random":
            return torch.randint(self._places, (last - first,), generator=_generator(f"{self._seed}:{number}"))
        return self._starts(permuted(torch.arange(first, last), self._length, self._keys))

    def _starts(self, windows: Tensor) -> Tensor:
        return windows * self._context_length + self._offset


def permuted(numbers: Tensor, n: int, keys: list[int]) -> Tensor:
    """The images of `numbers` under the permutation of 0 .. n - 1 that `keys` select, computed without a table.

    A Feistel network permutes the numbers below the next power of four; results of n or more are permuted again until
    they are below n (cycle walking: Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002).
    """
    half = max(1, ((n - 1).bit_length() + 1) // 2)
    result = _feistel(numbers, half, keys)
    while (outside := (result >= n).nonzero()[:, 0]).numel():
        result[outside] = _feistel(result[outside], half, keys)
    return result


def _feistel(numbers: Tensor, half: int, keys: list[int]) -> Tensor:
    """A permutation of the numbers below 4**half."""
    mask = (1 << half) - 1
    left, right = numbers >> half, numbers & mask
    for key in keys:
        mixed = (right ^ key) * _MIXERS[0]  # int64 wraps around, as a hash needs
        mixed = (mixed ^ (mixed >> 29)) * _MIXERS[1]
        left, right = right, left ^ ((mixed >> 32) & mask)
    return left << half | right


def _generator(seed: str) -> torch.Generator:
    # The CPU generator reads 32 bits of a seed, hence the mixing.
    return torch.Generator().manual_seed(random.Random(seed).getrandbits(32))
