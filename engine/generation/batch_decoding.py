"""Several continuations of one text: the prompt is read once, then each step is one pass of the model over all rows."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .decoder import READ_AT_ONCE, Decoder
from .sampling import Sampler


class Branches:
    """Rows that begin with the same number of tokens; `sampler` has a row for each.

    The decoder's cache keeps what it read of the prompt; the rows live in a copy of it.
    """

    @torch.inference_mode()
    def __init__(self, decoder: Decoder, texts: Sequence[Sequence[int]], sampler: Sampler) -> None:
        """`texts` are what each row continues. Raises DecodeError as `Decoder.tokens` does."""
        self._decoder, self._sampler = decoder, sampler
        self._texts = [list(text) for text in texts]  # with the tokens drawn so far
        self._length = len(texts[0])  # positions that the cache holds
        alike = all(text == self._texts[0] for text in self._texts)
        logits = decoder.begin(texts[0])
        self._cache = decoder.cache.rows([0] * len(texts))
        self._logits: Tensor = logits.expand(len(texts), -1) if alike else self._read(self._length)

    @property
    def drawn_from(self) -> tuple[Tensor, Tensor]:
        """As the sampler's."""
        return self._sampler.drawn_from

    @torch.inference_mode()
    def step(self) -> list[int]:
        """The next token of each row; -1 where the sampler had none."""
        if self._length < len(self._texts[0]):
            self._advance()
        tokens: list[int] = self._sampler.draw(self._logits).tolist()
        for text, token in zip(self._texts, tokens, strict=True):
            text.append(token)
        return tokens

    @torch.inference_mode()
    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows alone, in this order; each stays, or moves to a place before it that has no row."""
        if list(rows) == list(range(len(self._texts))):
            return
        self._texts = [self._texts[row] for row in rows]
        self._logits = self._logits[list(rows)]
        self._sampler.keep(rows)
        self._cache.keep(rows)

    def _advance(self) -> None:
        """Read the tokens drawn last; past the window its last part is read anew, as `Decoder.tokens` does."""
        if self._cache.length < self._decoder.context_length:
            self._logits = self._pass(1)
        else:
            self._logits = self._read(self._decoder.reread_length)
        self._length = len(self._texts[0])

    def _read(self, length: int) -> Tensor:
        """Read the last `length` tokens of each row anew; logits [rows, V]."""
        self._cache.reset()
        return self._pass(length)

    def _pass(self, length: int) -> Tensor:
        """Read the last `length` tokens of each row behind what the cache holds."""
        tokens = torch.tensor([text[-length:] for text in self._texts], device=self._decoder.device)
        parts = tokens.split(max(1, READ_AT_ONCE // len(tokens)), dim=1)
        return [self._decoder.next_logits(part, self._cache) for part in parts][-1]


class Alone:
    """One continuation, in the decoder's own cache; otherwise as Branches of one row."""

    def __init__(self, decoder: Decoder, ids: Sequence[int], sampler: Sampler) -> None:
        self._tokens, self._sampler = decoder.tokens(ids, sampler), sampler

    @property
    def drawn_from(self) -> tuple[Tensor, Tensor]:
        """As the sampler's."""
        return self._sampler.drawn_from

    def step(self) -> list[int]:
        """The next token, in a list; -1 where the sampler had none. Raises DecodeError as `Decoder.tokens` does."""
        return [next(self._tokens)]

    def keep(self, rows: Sequence[int]) -> None:
        """There is nothing to leave out."""
