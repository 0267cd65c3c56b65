"""Decoding on a GPU: replays of a CUDA graph draw tokens ahead of the program that reads them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import repeat
from typing import Any

import torch
from torch import Tensor

from .decode_graphs import DecodeGraphs
from .decoder import PREFILL_CHUNK, Decoder
from .sampling import Sampler

_UNREAD = 2  # replays that are under way while the program handles the tokens of one before


class GraphDecoding:
    """Rows that begin with the same number of tokens, as in BatchDecoding, but drawn by replays of a CUDA graph.

    The tokens of a replay come back while the next one runs. Where the reply ends before, what was drawn beyond its
    end is thrown away: the noise of a token depends on its place alone, so the text is the one of a token at a time.
    A row that ended stays in the batch until all have: another number of rows would need another graph. The
    decoder's own cache, which the next prompt may continue, holds nothing but the prompt.
    """

    @torch.inference_mode()
    def __init__(
        self, decoder: Decoder, graphs: DecodeGraphs, texts: Sequence[Sequence[int]], sampler: Sampler
    ) -> None:
        """`texts` are what each row continues. Raises UserError as `Decoder.tokens` does."""
        self._decoder, self._graphs, self._texts = decoder, graphs, [list(text) for text in texts]
        self._rows = list(range(len(texts)))  # those that go on
        decoder.prefill(texts[0])
        self._graph = graphs.graph_for(len(texts), sampler, decoder.vocab_size)
        self._unread: deque[tuple[int, Callable[[], list[Any]]]] = deque()  # of each, how many tokens of a row
        self._drawn: deque[tuple[list[int], list[list[float]]]] = deque()  # of each row, token and figures
        self._last_figures: list[list[float]] = []
        if all(text == self._texts[0] for text in self._texts):
            self._graph.cache.copy(decoder.cache, len(texts[0]) - 1)
            self._resume(len(texts[0]) - 1)
        else:
            self._read(len(texts[0]))

    @property
    def figures(self) -> list[list[float]]:
        """As the sampler's, of the rows that go on."""
        return [self._last_figures[row] for row in self._rows]

    @torch.inference_mode()
    def step(self) -> list[int]:
        """The next token of each row; -1 where the sampler had none."""
        if not self._drawn:
            tokens, *figures = self._collect()
            self._drawn.extend(zip(tokens, figures[0] if figures else repeat([]), strict=False))
        tokens, self._last_figures = self._drawn.popleft()
        for text, token in zip(self._texts, tokens, strict=True):
            text.append(token)
        return [tokens[row] for row in self._rows]

    def drawing_by(self, sampler: Sampler) -> GraphDecoding:
        """One that draws by this sampler, which has a row for each that goes on, from the next token on.

        What was drawn ahead is thrown away, and what the model sees of the texts is read again.
        """
        ahead = len(self._drawn) + sum(n for n, _ in self._unread)
        filled, decoder = self._filled - ahead, self._decoder
        length = filled + 1 if filled < decoder.context_length else decoder.reread_length
        return GraphDecoding(decoder, self._graphs, [self._texts[row][-length:] for row in self._rows], sampler)

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows alone, in this order."""
        self._rows = [self._rows[row] for row in rows]

    def _collect(self) -> list[Any]:
        """The tokens of the oldest replay, [draws][rows], and their figures, [draws][rows][figures], where it explains
        them; later replays are launched before it is waited for.
        """
        if not self._unread and self._filled == self._decoder.context_length:
            self._read(self._decoder.reread_length)
        while len(self._unread) < _UNREAD and self._filled < self._decoder.context_length:
            self._launch()
        return self._unread.popleft()[1]()

    def _launch(self) -> None:
        """Launch one replay: of several tokens where the window and the prepared noise have room for them."""
        graph = self._graph
        room, noise = self._decoder.context_length - self._filled, graph.sampler.draws_left
        n = graph.tokens_per_replay
        if n > min(room, room if noise is None else noise):
            n = 1
        graph.sampler.prepare(n)
        graph.replay(n, self._filled)
        drawn = (graph.drawn[:n], graph.figures[:n]) if graph.sampler.explains else (graph.drawn[:n],)
        self._unread.append((n, _read_back(*drawn)))
        self._filled += n

    def _read(self, length: int) -> None:
        """Read the last `length` tokens of each row again; the last one of them is for the next replay."""
        cache = self._graph.cache.read
        cache.reset()
        if length > 1:
            tokens = torch.tensor([text[-length:-1] for text in self._texts], device=self._decoder.device)
            for part in tokens.split(max(1, PREFILL_CHUNK // len(tokens)), dim=1):
                self._decoder.model.next_logits(part, cache)
        self._resume(length - 1)

    def _resume(self, filled: int) -> None:
        """The cache holds so many positions, and the last token of each text comes next."""
        self._filled = filled
        self._graph.cache.resume(filled)
        last = torch.tensor([text[-1] for text in self._texts])
        self._graph.tokens.copy_(last)


def _read_back(*drawn: Tensor) -> Callable[[], list[Any]]:
    """Start to copy tensors to the CPU, before later work overwrites them; what is returned waits for the copies."""
    if drawn[0].device.type != "cuda":
        here = [tensor.tolist() for tensor in drawn]
        return lambda: here
    copies = [torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True) for tensor in drawn]
    for copy, tensor in zip(copies, drawn, strict=True):
        copy.copy_(tensor, non_blocking=True)
    arrived = torch.cuda.Event()
    arrived.record(torch.cuda.current_stream(drawn[0].device))

    def wait() -> list[Any]:
        arrived.synchronize()
        return [copy.tolist() for copy in copies]

    return wait
