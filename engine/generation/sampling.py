"""From logits to the next tokens: the logits processors, then one seeded draw for each row.

The draw is argmax(logits + Gumbel noise), the Gumbel-max trick: the distribution of torch.multinomial without its wait
for the device. What a seed draws depends on that seed alone, not on the rows beside it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Hashable, Sequence

import torch
from torch import Tensor

from ...data.tokenizers import Tokenizer
from ..requests import SamplingSettings
from .logits_processors import Filters, ForbiddenSequences, Penalties, TokenSequences
from .token_details import token_figures

_GREEDY_BELOW = 1e-5  # temperature; below it the division overflows float32, and the result is greedy anyway
_MAX_DRAWS = 64  # of a row, whose noise is prepared at once: a CUDA graph then draws several tokens in one replay
_MAX_BLOCK = 2**20  # the most numbers of noise that are prepared at once, for all rows together
_MAX_BLOCK_ON_CPU = 2**16  # the same on a CPU: nothing is replayed there, a larger block would only be a pause
_SMALLEST = torch.finfo(torch.float32).tiny  # Exp(1) may round to 0, whose logarithm would win every draw


def chosen_seed(seed: int | None) -> int:
    """`seed`, or a random one where there is none."""
    return secrets.randbelow(2**31) if seed is None else seed


def sample_seed(seed: int, index: int) -> int:
    """The seed of one of several samples: `seed` itself for the first, one of its own for each other."""
    return seed if index == 0 else _derived(seed, str(index))


def first_token(tokenizer: Tokenizer, seed: int, after_end: bool = False, n_rows: int | None = None) -> int:
    """The token that an empty prompt starts from.

    The end of another text, with `after_end`: where the model has learned what follows it. Else a new line, or a token
    drawn uniformly where the tokenizer has no new line, of those that the model has `n_rows` for.
    """
    rows = min(n_rows or tokenizer.vocab_size, tokenizer.vocab_size)
    if after_end and min(tokenizer.end_tokens, default=rows) < rows:
        return min(tokenizer.end_tokens)  # the end of a text; those of a conversation's turns were added later
    if tokenizer.new_line is not None and tokenizer.new_line < rows:
        return tokenizer.new_line
    generator = torch.Generator().manual_seed(_derived(seed, "start"))
    return int(torch.randint(rows, (), generator=generator))


def draws_at_once(vocab_size: int, device: torch.device) -> int:
    """For how many draws the noise of a row is prepared: a power of two, the same for each reply on such a device."""
    largest = _MAX_BLOCK_ON_CPU if device.type == "cpu" else _MAX_BLOCK
    return 1 << (max(1, min(_MAX_DRAWS, largest // vocab_size)).bit_length() - 1)


def _derived(seed: int, name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:4]) >> 1


class GumbelNoise:
    """Gumbel noise for each row: the largest of logits + noise is a draw from softmax(logits).

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
            self._block.clamp_min_(_SMALLEST).log_().neg_()
            self._at.zero_()
        self._prepared += draws

    def next(self) -> Tensor:
        """The noise [B, V] of one more draw; device work alone."""
        noise = self._block.index_select(1, self._at).squeeze(1)
        self._at.add_(1)
        return noise

    def skip(self, draws: int) -> None:
        """Go on as after so many more draws."""
        while draws > 0:
            step = min(draws, self.left)
            self.prepare(step)
            self._at.add_(step)
            draws -= step

    def state(self) -> list[Tensor]:
        """The tensors that `next` reads."""
        return [self._block, self._at]

    def copy_from(self, other: GumbelNoise) -> None:
        """Go on as `other` would, which has as many rows and the same vocabulary; the tensors stay where they are."""
        self._generators, self._prepared = other._generators, other._prepared

    def keep(self, rows: Sequence[int]) -> None:
        """Keep only `rows`: row i becomes what row rows[i] was, where rows[i] >= i."""
        for place, row in enumerate(rows):
            if place != row:
                self._block[place] = self._block[row]
        self._block = self._block[: len(rows)]
        self._generators = [self._generators[row] for row in rows]


class Sampler:
    """Draws the next token of each row; the same settings, seed and logits draw the same tokens on the same kind of
    device, whatever the other rows.

    With `explains`, `drawn_from` holds the logits [B, V] of the last draw, as the model gave them and as they were
    drawn from, and `figures` what is told of each drawn token (token_details.py), with so many `alternatives`.
    """

    def __init__(
        self,
        settings: SamplingSettings,
        vocab_size: int,
        device: torch.device,
        seeds: Sequence[int] = (),
        texts: TokenSequences = ((),),
        forbidden: TokenSequences = (),
        explains: bool = False,
        alternatives: int = 0,
        draws: int = 0,
    ) -> None:
        """A row for each of `seeds`, one with the settings' own where there are none; `texts` is what stands before
        the first draw of each, `forbidden` the sequences of tokens that are never completed. So many `draws` of the
        same seeds came before.
        """
        seeds = seeds or [chosen_seed(settings.seed)]
        sequences = [sequence for sequence in forbidden if sequence]
        self.explains, self.greedy = explains, settings.temperature < _GREEDY_BELOW
        self.may_draw_nothing = bool(sequences)
        self.drawn_from: tuple[Tensor, Tensor] = (torch.empty(0), torch.empty(0))
        self.alternatives, self.figures = alternatives, torch.empty(0)
        self._device = device
        self._by_text: list[Penalties | ForbiddenSequences] = []  # what depends on the text so far
        if settings.has_penalties:
            self._by_text.append(Penalties(settings, vocab_size, texts, device))
        if sequences:
            self._by_text.append(ForbiddenSequences(sequences, texts, device))
        self._filters = None if self.greedy else Filters(settings, vocab_size, device)
        self._noise = None if self.greedy else GumbelNoise(seeds, vocab_size, device)
        if self._noise is not None:
            self._noise.skip(draws)

    @property
    def graph_key(self) -> Hashable:
        """Equal for samplers that can share a recorded CUDA graph: their tensors differ in content alone."""
        filters = None if self._filters is None else self._filters.graph_key
        return self.explains, self.alternatives, filters, tuple(tuple(tensor.shape) for tensor in self.state())

    @property
    def draws_left(self) -> int | None:
        """The most draws that `prepare` can make possible now; None where nothing is random."""
        return None if self._noise is None else self._noise.left

    def draw(self, logits: Tensor) -> Tensor:
        """Token ids [B] (int64, on the device) from float32 logits [B, V]; -1 where no token was left, which
        `may_draw_nothing` says is possible. Does not wait for the device.
        """
        self.prepare(1)
        return self.draw_prepared(logits)

    def prepare(self, draws: int) -> None:
        """Make `draws` calls of `draw_prepared` possible, at most `draws_left`."""
        if self._noise is not None:
            self._noise.prepare(draws)

    def draw_prepared(self, logits: Tensor) -> Tensor:
        """As `draw`, after `prepare`. It does the same work on the device each time, so a CUDA graph can record it."""
        given = logits
        for processor in self._by_text:
            logits = processor.apply(logits)
        if self._filters is not None:
            logits = self._filters.apply(logits)
        best, tokens = (logits if self._noise is None else logits + self._noise.next()).max(-1)
        for processor in self._by_text:
            processor.append(tokens)
        if self.explains:
            only = torch.full_like(logits, -torch.inf).scatter_(1, tokens[:, None], 0) if self.greedy else logits
            self.drawn_from = given, only
            self.figures = token_figures(tokens, given, only, self.alternatives)
        return tokens.masked_fill(best == -torch.inf, -1) if self.may_draw_nothing else tokens

    def copy_from(self, other: Sampler) -> None:
        """Go on as `other` would, which is of the same kind; the tensors stay where they are."""
        for mine, theirs in zip(self.state(), other.state(), strict=True):
            mine.copy_(theirs)
        if self._noise is not None and other._noise is not None:
            self._noise.copy_from(other._noise)

    def keep(self, rows: Sequence[int]) -> None:
        """Keep only `rows`: row i becomes what row rows[i] was, where rows[i] >= i."""
        chosen = torch.tensor(rows, device=self._device)
        for processor in self._by_text:
            processor.keep(chosen)
        if self._noise is not None:
            self._noise.keep(rows)

    def state(self) -> list[Tensor]:
        """The tensors that `draw_prepared` reads and writes."""
        parts = (self._filters, self._noise, *self._by_text)
        return [tensor for part in parts if part is not None for tensor in part.state()]
