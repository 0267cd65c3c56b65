"""Decode steps captured as CUDA graphs, the drawing of the tokens included.

Launching the hundred small kernels of a token takes a CPU longer than a GPU needs to run them. A graph launches those
of several tokens at once: each drawn token is read by the next step without coming back to the program.
"""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable, Hashable, Sequence

import torch

from ...models.cache import DeviceCache, KVCache
from ...models.fast.cuda_graph import CudaGraphCapture, Work
from ...models.gpt import GPT
from .sampling import Sampler, draws_at_once
from .token_details import figures_width

Capture = Callable[[Work, Work, torch.device], Work]

_TOKENS_PER_REPLAY = 16
_WINDOWS = (1024, 4096)  # positions, shorter than the longest: a short text costs what a short context does
_MAX_CACHE = 1 << 34  # bytes of keys and values, of all rows
_MAX_GRAPHS = 8  # that are kept, each for another kind of sampling settings


def capture_graph(work: Work, rewind: Work, device: torch.device) -> Work:
    """What replays the kernels of `work`, on the same memory; `rewind` undoes what `work` did.

    The work is done twice before, so that libraries have set up what they need.
    """
    capture = CudaGraphCapture(device)
    for _ in range(2):
        capture.warm_up(work)
        capture.warm_up(rewind)
    return capture.capture(work)


def run_eagerly(work: Work, rewind: Work, device: torch.device) -> Work:
    """`work` itself, where no graph can be captured."""
    return work


class DecodeGraph:
    """`replay` reads `tokens` [B], draws some tokens for each row one after another, and fills `drawn` [draws, B].

    The rows' keys and values are in `cache`, their random state and penalties in `sampler`; `drawn` is -1 where no
    token was left to be drawn. Where the sampler explains its draws, `figures` [draws, B] is filled as well. Attention
    reads all of a window, so each replay takes the shortest window that has room for it.
    """

    def __init__(
        self,
        model: GPT,
        cache: DeviceCache,
        sampler: Sampler,
        vocab_size: int,
        tokens_per_replay: int,
        capture: Capture,
        windows: Sequence[int],
    ) -> None:
        """Replays draw one token or `tokens_per_replay`, each captured when its window is first needed.

        `windows` ascend to the length of the cache.
        """
        rows, device = cache.read.batch_size, cache.position.device
        self.cache, self.sampler, self.tokens_per_replay = cache, sampler, tokens_per_replay
        self.tokens = torch.zeros(rows, dtype=torch.int64, device=device)
        self.drawn = torch.zeros(tokens_per_replay, rows, dtype=torch.int64, device=device)
        width = figures_width(sampler.alternatives, vocab_size) if sampler.explains else 0
        self.figures = torch.zeros(tokens_per_replay, rows, width, device=device)
        self._model, self._vocab_size, self._capture = model, vocab_size, capture
        self._windows = windows
        self._replays: dict[tuple[int, int], Work] = {}  # by window and number of tokens

    def replay(self, n: int, filled: int) -> None:
        """Draw n tokens of each row, 1 or `tokens_per_replay`, behind the `filled` positions of the cache.

        The sampler must be prepared, and the cache have room, for n.
        """
        window = next(length for length in self._windows if length >= filled + n)
        if (window, n) not in self._replays:
            self._capture_replays(window, filled)
        self._replays[window, n]()

    def _capture_replays(self, window: int, filled: int) -> None:
        """Capture those of a window that it has room for; what they read is the same afterwards."""
        cache, device = self.cache.window(window), self.cache.position.device
        before = [(tensor, tensor.clone()) for tensor in (self.tokens, *self.sampler.state())]

        def rewind() -> None:
            cache.resume(filled)
            for tensor, value in before:
                tensor.copy_(value)

        for n in sorted({1, self.tokens_per_replay}):
            if (window, n) not in self._replays and filled + n <= window:
                self._replays[window, n] = self._capture(functools.partial(self._decode, n, cache), rewind, device)
                rewind()

    def _decode(self, n: int, cache: DeviceCache) -> None:
        for i in range(n):
            logits = self._model.next_logits(self.tokens[:, None], cache)[:, : self._vocab_size]
            drawn = self.sampler.draw_prepared(logits)
            self.drawn[i].copy_(drawn)
            if self.sampler.explains:
                self.figures[i].copy_(self.sampler.figures)
            self.tokens.copy_(drawn.clamp_min(0) if self.sampler.may_draw_nothing else drawn)


class DecodeGraphs:
    """The graphs of a model, captured when they are first needed; those for the latest number of rows are kept.

    Where no graph can be captured the same work runs eagerly, and `notices` has a sentence that says so.
    """

    def __init__(
        self,
        model: GPT,
        length: int,
        capture: Capture = capture_graph,
        tokens_per_replay: int = _TOKENS_PER_REPLAY,
        max_cache: int = _MAX_CACHE,
        windows: Sequence[int] = _WINDOWS,
    ) -> None:
        """`length` is that of the window, in positions; `max_cache` bytes may the keys and values of all rows take."""
        self.notices: list[str] = []
        self._model, self._length, self._capture = model, length, capture
        self._tokens_per_replay, self._max_cache = tokens_per_replay, max_cache
        self._windows = [*(window for window in windows if window < length), length]
        self._cache: DeviceCache | None = None
        self._graphs: dict[Hashable, DecodeGraph] = {}

    def has_room(self, rows: int) -> bool:
        """Whether a cache of the whole window for so many rows is within `max_cache`."""
        config, size = self._model.config, self._model.compute_dtype.itemsize
        position = 2 * config.n_layer * config.kv_heads * config.size_per_head * size
        return rows * self._length * position <= self._max_cache

    def graph_for(self, rows: int, sampler: Sampler, vocab_size: int) -> DecodeGraph:
        """A graph whose sampler goes on as `sampler` would; its cache is still to be filled."""
        if self._cache is None or self._cache.read.batch_size != rows:
            self._graphs.clear()
            self._cache = None  # the old one leaves first: two may not fit into memory
            model = self._model
            memory = KVCache(model.config, rows, self._length, model.embedding.device, model.compute_dtype)
            self._cache = DeviceCache(memory)
        if graph := self._graphs.pop(sampler.graph_key, None):
            graph.sampler.copy_from(sampler)
        else:
            noise = draws_at_once(vocab_size, self._model.embedding.device)
            tokens = min(self._tokens_per_replay, noise, self._length)
            graph = DecodeGraph(self._model, self._cache, sampler, vocab_size, tokens, self._captured, self._windows)
        self._graphs[sampler.graph_key] = graph  # as the newest
        if len(self._graphs) > _MAX_GRAPHS:
            del self._graphs[next(iter(self._graphs))]
        return graph

    def _captured(self, work: Work, rewind: Work, device: torch.device) -> Work:
        """A graph of `work`, or the work itself where none can be captured."""
        try:
            return self._capture(work, rewind, device)
        except RuntimeError as error:
            traceback.print_exc()
            reason = str(error).splitlines()[0][:200]
            self.notices.append(
                f"each step is launched kernel by kernel, which is slower: no CUDA graph was captured ({reason})"
            )
            self._capture = run_eagerly
            return work
