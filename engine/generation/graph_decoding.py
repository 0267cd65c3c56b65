"""Decoding on a GPU: replays of a CUDA graph draw tokens ahead of the program that reads them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

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
        self._decoder, self._texts = decoder, [list(text) for text in texts]
        self._rows = list(range(len(texts)))  # those that go on
        decoder.prefill(texts[0])
        self._graph = graphs.graph_for(len(texts), sampler, decoder.vocab_size)
        self._unread: deque[Callable[[], list[list[int]]]] = deque()
        self._drawn: deque[list[int]] = deque()
        if all(text == self._texts[0] for text in self._texts):
            self._graph.cache.copy(decoder.cache, len(texts[0]) - 1)
            self._resume(len(texts[0]) - 1)
        else:
            self._read(len(texts[0]))

    @property
    def drawn_from(self) -> tuple[Tensor, Tensor]:
        """As the sampler's, of the rows that go on."""
        given, drawn_from = self._graph.sampler.drawn_from
        return given[self._rows], drawn_from[self._rows]

    @torch.inference_mode()
    def step(self) -> list[int]:
        """The next token of each row; -1 where the sampler had none."""
        if not self._drawn:
            self._drawn.extend(self._collect())
        tokens = self._drawn.popleft()
        for text, token in zip(self._texts, tokens, strict=True):
            text.append(token)
        return [tokens[row] for row in self._rows]

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows alone, in this order."""
        self._rows = [self._rows[row] for row in rows]

    def _collect(self) -> list[list[int]]:
        """The tokens of the oldest replay, [draws][rows]; later replays are launched before it is waited for."""
        most = 1 if self._graph.sampler.explains else _UNREAD
        if not self._unread and self._filled == self._decoder.context_length:
            self._read(self._decoder.reread_length)
        while len(self._unread) < most and self._filled < self._decoder.context_length:
            self._launch()
        return self._unread.popleft()()

    def _launch(self) -> None:
        """Launch one replay: of several tokens where the window and the prepared noise have room for them."""
        graph = self._graph
        room, noise = self._decoder.context_length - self._filled, graph.sampler.draws_left
        n = graph.tokens_per_replay
        if n > min(room, room if noise is None else noise):
            n = 1
        graph.sampler.prepare(n)
        graph.replay(n, self._filled)
        self._unread.append(_read_back(graph.drawn[:n]))
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


def _read_back(tokens: Tensor) -> Callable[[], list[list[int]]]:
    """Start to copy `tokens` to the CPU, before later work overwrites them; what is returned waits for the copy."""
    if tokens.device.type != "cuda":
        rows: list[list[int]] = tokens.tolist()
        return lambda: rows
    here = torch.empty(tokens.shape, dtype=tokens.dtype, pin_memory=True)
    here.copy_(tokens, non_blocking=True)
    arrived = torch.cuda.Event()
    arrived.record(torch.cuda.current_stream(tokens.device))

    def wait() -> list[list[int]]:
        arrived.synchronize()
        return here.tolist()

    return wait
