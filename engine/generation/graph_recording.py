"""The device's work of some tokens, recorded once and repeated: on CUDA a graph, sampling inside.

Asking a GPU for the hundred small operations of a token takes longer than the operations. A CUDA graph asks once for
several tokens: each drawn token is read by the next step without coming back to the program.
"""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable, Hashable

import torch

from ...models.cache import DeviceCache, KVCache
from ...models.fast.cuda_graph import CudaGraphCapture, Work
from ...models.gpt import GPT
from .sampling import Sampler, draws_at_once

Record = Callable[[Work, Work, torch.device], Work]

TOKENS_AT_ONCE = 16  # a replay, and so a wait of the program, for so many tokens
_LARGEST_CACHE = 1 << 34  # bytes of keys and values, of all rows
_MOST_KINDS = 8  # of settings whose recordings are kept


def record_graph(work: Work, rewind: Work, device: torch.device) -> Work:
    """`work` as a CUDA graph, which repeats exactly its kernels on the same memory; `rewind` undoes what `work` did.

    The work is done twice before, so that libraries have set up what they need.
    """
    graph = CudaGraphCapture(device)
    for _ in range(2):
        graph.warm_up(work)
        graph.warm_up(rewind)
    return graph.capture(work)


def call_again(work: Work, rewind: Work, device: torch.device) -> Work:
    """`work` itself, where nothing can be recorded."""
    return work


class Recording:
    """Rows of a model and a sampler of one kind: `replay(n)` reads `tokens` [B], draws n times, and fills `drawn` [:n].

    Where the model stands is in `cache`, where the sampler stands in `sampler`; `drawn` is -1 where no token was left
    to be drawn.
    """

    def __init__(
        self, model: GPT, cache: DeviceCache, sampler: Sampler, vocab_size: int, at_once: int, record: Record
    ) -> None:
        """Draws `at_once` tokens or one. The sampler stands afterwards where it stood."""
        rows, device = cache.read.batch_size, cache.position.device
        self.cache, self.sampler, self.at_once = cache, sampler, at_once
        self.tokens = torch.zeros(rows, dtype=torch.int64, device=device)
        self.drawn = torch.zeros(at_once, rows, dtype=torch.int64, device=device)
        self._model, self._vocab_size = model, vocab_size
        before = [tensor.clone() for tensor in sampler.state()]

        def rewind() -> None:
            cache.resume(0)
            for tensor, value in zip(sampler.state(), before, strict=True):
                tensor.copy_(value)

        cache.resume(0)
        try:
            self._replays = {n: record(functools.partial(self._work, n), rewind, device) for n in sorted({1, at_once})}
        finally:
            rewind()

    def replay(self, n: int) -> None:
        """Draw n tokens of each row: 1 or `at_once`. The sampler must be prepared, and the cache have room, for n."""
        self._replays[n]()

    def _work(self, n: int) -> None:
        for i in range(n):
            logits = self._model.next_logits(self.tokens[:, None], self.cache)[:, : self._vocab_size]
            drawn = self.sampler.pick(logits)
            self.drawn[i].copy_(drawn)
            self.tokens.copy_(drawn.clamp_min(0) if self.sampler.may_fail else drawn)


class Recorder:
    """Makes recordings of a model, and keeps those for the number of rows that was asked for last.

    Where nothing can be recorded, the same work is asked for step by step, and `news` says so in a sentence.
    """

    def __init__(self, model: GPT, length: int, record: Record = record_graph, at_once: int = TOKENS_AT_ONCE) -> None:
        """`length` is that of the window, in positions."""
        self.news: list[str] = []
        self._model, self._length, self._record, self._at_once = model, length, record, at_once
        self._cache: DeviceCache | None = None
        self._kept: dict[Hashable, Recording] = {}

    def has_room(self, rows: int) -> bool:
        """Whether a cache of the whole window for so many rows stays within reason."""
        config, size = self._model.config, self._model.compute_dtype.itemsize
        position = 2 * config.n_layer * config.kv_heads * config.size_per_head * size
        return rows * self._length * position <= _LARGEST_CACHE

    def recording(self, rows: int, sampler: Sampler, vocab_size: int) -> Recording:
        """One whose sampler goes on as `sampler`, on a cache whose content is anybody's."""
        if self._cache is None or self._cache.read.batch_size != rows:
            self._kept.clear()
            self._cache = None  # the old one leaves first: two may not fit into memory
            model = self._model
            memory = KVCache(model.config, rows, self._length, model.embedding.device, model.compute_dtype)
            self._cache = DeviceCache(memory)
        if found := self._kept.pop(sampler.kind, None):
            found.sampler.take(sampler)
        else:
            found = self._made(self._cache, sampler, vocab_size)
        self._kept[sampler.kind] = found  # as the newest
        if len(self._kept) > _MOST_KINDS:
            del self._kept[next(iter(self._kept))]
        return found

    def _made(self, cache: DeviceCache, sampler: Sampler, vocab_size: int) -> Recording:
        at_once = (
            1
            if sampler.explains
            else min(self._at_once, draws_at_once(vocab_size, self._model.embedding.device), self._length)
        )
        make = functools.partial(Recording, self._model, cache, sampler, vocab_size, at_once)
        try:
            return make(self._record)
        except RuntimeError as error:
            traceback.print_exc()
            reason = str(error).splitlines()[0][:200]
            self.news.append(f"the device is asked for each step anew, which is slower: recording failed ({reason})")
            self._record = call_again
            return make(self._record)
