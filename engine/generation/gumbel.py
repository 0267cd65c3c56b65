"""Chance, a row at a time: what a seed brings depends on that seed alone, not on the rows beside it."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence

import torch
from torch import Tensor

_LONGEST = 64  # draws that are prepared at once for each row, as far as they are no more numbers than this:
_LARGEST = 2**20  # several draws in one replay of recorded work are worth their memory,
_LARGEST_ON_CPU = 2**16  # where nothing is replayed they would only be a pause
_SHORTEST = torch.finfo(torch.float32).tiny  # Exp(1) may round to 0, whose logarithm would win every race


def chosen_seed(seed: int | None) -> int:
    """`seed`, or a new one where there is none."""
    return secrets.randbelow(2**31) if seed is None else seed


def sample_seed(seed: int, index: int) -> int:
    """The seed of one of several samples: `seed` itself for the first, one of its own for each other."""
    return seed if index == 0 else _derived(seed, str(index))


def any_token(seed: int, vocab_size: int) -> int:
    """A token drawn uniformly, for a text that has to start from nothing."""
    generator = torch.Generator().manual_seed(_derived(seed, "start"))
    return int(torch.randint(vocab_size, (), generator=generator))


def draws_at_once(vocab_size: int, device: torch.device) -> int:
    """For how many draws the noise of a row is prepared: a power of two, the same for each reply on such a device."""
    largest = _LARGEST_ON_CPU if device.type == "cpu" else _LARGEST
    return 1 << (max(1, min(_LONGEST, largest // vocab_size)).bit_length() - 1)


def _derived(seed: int, name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:4]) >> 1


class Noise:
    """Gumbel noise: the largest of logits + noise is a draw from softmax(logits), without a wait for the device.

    A generator for each row, seeded by that row's seed, fills a block of some draws ahead, so the noise of a draw
    depends on the seed and on how many draws came before it.
    """

    def __init__(self, seeds: Sequence[int], vocab_size: int, device: torch.device) -> None:
        self._generators = [torch.Generator(device).manual_seed(seed) for seed in seeds]
        self._block = torch.zeros(len(seeds), draws_at_once(vocab_size, device), vocab_size, device=device)
        self._at = torch.zeros(1, dtype=torch.int64, device=device)
        self._prepared = 0  # draws so far

    @property
    def left(self) -> int:
        """How many draws the block still serves; a full one where it has to be filled first."""
        length = self._block.shape[1]
        return length - self._prepared % length

    def prepare(self, draws: int) -> None:
        """Make `draws` calls of `next` possible, at most `left`."""
        if self.left == self._block.shape[1]:
            for row, generator in zip(self._block, self._generators, strict=True):
                row.exponential_(generator=generator)
            self._block.clamp_min_(_SHORTEST).log_().neg_()
            self._at.zero_()
        self._prepared += draws

    def next(self) -> Tensor:
        """The noise [B, V] of one more draw; device work alone."""
        noise = self._block.index_select(1, self._at).squeeze(1)
        self._at.add_(1)
        return noise

    def state(self) -> list[Tensor]:
        """The tensors that `next` reads."""
        return [self._block, self._at]

    def take(self, other: Noise) -> None:
        """Go on as `other` would, which has as many rows and the same vocabulary; the tensors stay where they are."""
        self._generators, self._prepared = other._generators, other._prepared

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows alone, in this order; each stays, or moves to a place before it that has no row."""
        for place, row in enumerate(rows):
            if place != row:
                self._block[place] = self._block[row]
        self._block = self._block[: len(rows)]
        self._generators = [self._generators[row] for row in rows]
