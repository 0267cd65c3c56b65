"""Prefill, then decode token by token, over a key/value cache that keeps what was read last."""

from __future__ import annotations

import math
import zlib
from array import array
from collections.abc import Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor

from ...data.storage.errors import UserError
from ...data.tokenizers import Tokenizer
from ...models.cache import KVCache
from ...models.config import ModelConfig
from ...models.fast.decoding import prepare_decoding
from ...models.gpt import GPT
from .cpu_threads import PrefillThreads
from .decode_graphs import DecodeGraphs
from .sampling import Sampler
from .token_rows import check_token

_MAX_WINDOW = 16_384  # positions: attention over more takes a CPU longer than a person waits for a token
_MAX_CACHE = 1 << 30  # bytes that the keys and values of a window may take
PREFILL_CHUNK = 2048  # tokens of a prompt that are read in one pass: more would need more memory, and gain no time
_FIRST_LENGTH = 1024  # positions that the cache begins with
_ANCHOR_TOKENS = 8  # whose hash decides where the window of a long text begins


def window_length(config: ModelConfig, dtype: torch.dtype, longest: int = _MAX_WINDOW) -> int:
    """How many positions the decoder keeps of a text: at most `longest`, as far as context and memory reach."""
    position = 2 * config.n_layer * config.kv_heads * config.size_per_head * dtype.itemsize
    return min(config.context_length, longest, max(1, _MAX_CACHE // position))


def window_anchor(ids: Sequence[int], longest: int, shortest: int) -> int:
    """Where the window of a long text begins: `longest` to `shortest` tokens before its end.

    The place depends on the tokens around it alone, so an edit before it, or a few tokens more at the end, leave the
    window where it was, and the cache serves again. It is the smallest hash of some tokens that begin in that range
    (winnowing: Schleimer, Wilkerson and Aiken, 2003).
    """
    first = len(ids) - longest
    tokens, size = array("I", ids[first:]).tobytes(), array("I").itemsize
    places = range(longest - shortest + 1)
    return first + min(places, key=lambda at: zlib.crc32(tokens[at * size : (at + _ANCHOR_TOKENS) * size]))


class Draws(Protocol):
    """What draws tokens: a sampler."""

    def draw(self, logits: Tensor) -> Tensor:
        """Token ids [B] from logits [B, V], as Sampler.draw does."""
        ...


class Decoder:
    """A model, its tokenizer, and one cache that grows with the text up to `context_length`, the decoder's window.

    `end_token_starts_text`: the model was trained with an end token between texts, so one stands for an empty prompt.
    `literal`: it was trained on the names of special tokens as plain text. `graphs` is there on a GPU that decodes by
    CUDA graphs.
    `prefill_threads` chooses the CPU threads of passes over many tokens.
    """

    def __init__(
        self,
        model: GPT,
        tokenizer: Tokenizer,
        end_token_starts_text: bool = False,
        literal: bool = False,
        longest_window: int = _MAX_WINDOW,
    ) -> None:
        prepare_decoding(model)
        self.model = model
        self.tokenizer, self.end_token_starts_text, self.literal = tokenizer, end_token_starts_text, literal
        self.context_length = window_length(model.config, model.compute_dtype, longest_window)
        self.prefill_threads = PrefillThreads()
        self.device = next(model.parameters()).device
        length = min(_FIRST_LENGTH, self.context_length)
        self.cache = KVCache(model.config, 1, length, self.device, model.compute_dtype)
        self._cached_ids: list[int] = []  # the tokens whose keys and values the cache holds
        # One pass over a prompt and a pass for each token round differently, and bfloat16 so coarsely that the same
        # seed would write another text: there a prompt is always read again.
        self._reuses_cache = model.compute_dtype == torch.float32
        self.graphs = DecodeGraphs(model, self.context_length) if self.device.type == "cuda" else None

    @property
    def vocab_size(self) -> int:
        """How many ids can be drawn: those of the tokenizer that the model has rows for."""
        return min(self.tokenizer.vocab_size, self.model.config.vocab_size)

    @property
    def reread_length(self) -> int:
        """How much of the window the model reads again when the text has passed the context length."""
        return max(1, self.context_length // 2)

    def load_weights(self, model: GPT, tokenizer: Tokenizer) -> None:
        """Go on with the weights of `model`, which has the same configuration; the tensors stay where they are."""
        self.model.load_state_dict(model.state_dict())
        prepare_decoding(self.model)
        self.tokenizer = tokenizer
        self.clear_cache()

    def clear_cache(self) -> None:
        """Read the next prompt from its beginning, whatever was read before."""
        self._cached_ids.clear()

    def take_notices(self) -> tuple[str, ...]:
        """What a person should be told, once."""
        if self.graphs is None:
            return ()
        notices = tuple(self.graphs.notices)
        self.graphs.notices.clear()
        return notices

    @torch.inference_mode()
    def tokens(self, ids: Sequence[int], sampler: Draws) -> Iterator[int]:
        """Token after token that continues `ids` (1 to context_length of them), without end, whatever ends a text.

        What `ids` shares with the text in the cache is not computed again. Past the context length the last half of
        the window is computed again, so that each token sees at least that much, whatever the kind of positions. A
        token -1 says that the sampler had none to draw, and nothing comes after it. Raises UserError where the weights
        give no probabilities, or have no row for one of `ids`.
        """
        logits = self.prefill(ids)
        while True:
            drawn = sampler.draw(logits[None])
            token = int(drawn)  # the one wait for the device
            yield token
            if len(self._cached_ids) < self.context_length:
                logits = self._extend(drawn[None], [token])
            else:
                window = [*self._cached_ids, token][-self.reread_length :]
                self.clear_cache()
                logits = self._fill_cache(window)

    @torch.inference_mode()
    def prefill(self, ids: Sequence[int]) -> Tensor:
        """Bring the cache to hold exactly `ids`; the logits [V] after the last one. Raises as `tokens` does."""
        self.check_ids(ids)
        logits = self._fill_cache(ids)
        self.check_finite(logits.sum().item())
        return logits

    @torch.inference_mode()
    def logits_after(self, ids: Sequence[int]) -> Tensor:
        """The logits [V] after `ids`; what the cache holds behind them stays. Raises as `tokens` does."""
        before = list(self._cached_ids)
        logits = self.prefill(ids)
        if self._reuses_cache and before[: len(ids)] == list(ids):  # only the last one was read again, to the same
            self.cache.advance(len(before) - len(ids))
            self._cached_ids = before
        return logits

    def window_start(self, prompt: Sequence[int], then: int = 0) -> int:
        """Where in a text, a prompt with `then` tokens that were written after it, the model begins to read.

        A prompt longer than the context begins at an anchor, and where the text has passed the context since, it begins
        where it did while the rest was written: so a reply that goes on sees what it would have seen without a stop.
        """
        context, kept = self.context_length, self.reread_length
        start = 0 if len(prompt) <= context else window_anchor(prompt, context, kept)
        passed = max(0, len(prompt) + then - start - context)
        step = context + 1 - kept  # the window has moved whenever one token more than the context was there
        return start + -(-passed // step) * step

    def check_ids(self, ids: Sequence[int]) -> None:
        """Raise UserError where the model has no row for one of `ids`."""
        check_token(max(ids), self.tokenizer, self.model.config.vocab_size)

    @staticmethod
    def check_finite(total: float) -> None:
        """Raise UserError where a sum over logits or losses shows that the weights give no probabilities."""
        if not math.isfinite(total):
            raise UserError(
                "the model gives NaN instead of probabilities: its training diverged; use an earlier checkpoint, or "
                "train again with a lower learning rate"
            )

    def _fill_cache(self, ids: Sequence[int]) -> Tensor:
        """Bring the cache to hold exactly `ids`; the logits after its last token."""
        shared = 0
        if self._reuses_cache:
            limit = min(len(self._cached_ids), len(ids) - 1)  # the last token is always computed: its logits are needed
            shared = next((i for i in range(limit) if self._cached_ids[i] != ids[i]), limit)
        del self._cached_ids[shared:]
        self.cache.truncate(shared)
        logits = torch.empty(0)
        for start in range(shared, len(ids), PREFILL_CHUNK):
            chunk = ids[start : start + PREFILL_CHUNK]
            logits = self._extend(torch.tensor([chunk], device=self.device), chunk)
        return logits

    def _extend(self, tokens: Tensor, ids: Sequence[int]) -> Tensor:
        """Read `tokens` [1, T], which are `ids`, behind what the cache holds; the logits [V] after the last one."""
        logits = self.next_logits(tokens, self.cache)[0]
        self._cached_ids.extend(ids)
        return logits

    def next_logits(self, tokens: Tensor, cache: KVCache) -> Tensor:
        """Read `tokens` [B, T] behind what `cache` holds; the logits [B, V] after the last ones.

        Rows that pad the output layer beyond the tokenizer's vocabulary are cut off: they are no text.
        """
        needed = cache.length + tokens.shape[1]
        if needed > cache.max_length:
            cache.grow(min(self.context_length, max(needed, 2 * cache.max_length)))
        with self.prefill_threads.threads_for(tokens.numel()):
            return self.model.next_logits(tokens, cache)[:, : self.vocab_size]


class SingleDecoding:
    """One continuation, in the decoder's own cache; otherwise as BatchDecoding of one row."""

    def __init__(self, decoder: Decoder, ids: Sequence[int], sampler: Sampler) -> None:
        self._sampler = sampler
        self._tokens = decoder.tokens(ids, self)

    def draw(self, logits: Tensor) -> Tensor:
        """By the present sampler."""
        return self._sampler.draw(logits)

    def drawing_by(self, sampler: Sampler) -> SingleDecoding:
        """The same that draws by this sampler from the next token on."""
        self._sampler = sampler
        return self

    @property
    def figures(self) -> list[list[float]]:
        """As the sampler's."""
        return self._sampler.figures.tolist()

    def step(self) -> list[int]:
        """The next token, in a list; -1 where the sampler had none. Raises UserError as `Decoder.tokens` does."""
        return [next(self._tokens)]

    def keep(self, rows: Sequence[int]) -> None:
        """Nothing to do: there is one row."""


class BatchDecoding:
    """Several continuations: the prompt is read once, then each step is one pass of the model over all rows.

    The rows begin with the same number of tokens, and `sampler` has a row for each. The decoder's cache keeps what it
    read of the prompt; the rows live in a copy of it.
    """

    @torch.inference_mode()
    def __init__(self, decoder: Decoder, texts: Sequence[Sequence[int]], sampler: Sampler) -> None:
        """`texts` are what each row continues. Raises UserError as `Decoder.tokens` does."""
        self._decoder, self._sampler = decoder, sampler
        self._texts = [list(text) for text in texts]  # with the tokens drawn so far
        self._length = len(texts[0])  # positions that the cache holds
        alike = all(text == self._texts[0] for text in self._texts)
        logits = decoder.prefill(texts[0])
        self._cache = decoder.cache.rows([0] * len(texts))
        self._logits: Tensor = logits.expand(len(texts), -1) if alike else self._recompute(self._length)

    @property
    def figures(self) -> list[list[float]]:
        """As the sampler's."""
        return self._sampler.figures.tolist()

    @torch.inference_mode()
    def step(self) -> list[int]:
        """The next token of each row; -1 where the sampler had none."""
        if self._length < len(self._texts[0]):
            self._advance()
        tokens: list[int] = self._sampler.draw(self._logits).tolist()
        for text, token in zip(self._texts, tokens, strict=True):
            text.append(token)
        return tokens

    def drawing_by(self, sampler: Sampler) -> BatchDecoding:
        """The same that draws by this sampler, which has a row for each that is left, from the next token on."""
        self._sampler = sampler
        return self

    @torch.inference_mode()
    def keep(self, rows: Sequence[int]) -> None:
        """Keep only `rows`: row i becomes what row rows[i] was, where rows[i] >= i."""
        if list(rows) == list(range(len(self._texts))):
            return
        self._texts = [self._texts[row] for row in rows]
        self._logits = self._logits[list(rows)]
        self._sampler.keep(rows)
        self._cache.keep(rows)

    def _advance(self) -> None:
        """Read the tokens drawn last; past the window its last part is computed again, as `Decoder.tokens` does."""
        if self._cache.length < self._decoder.context_length:
            self._logits = self._read_last(1)
        else:
            self._logits = self._recompute(self._decoder.reread_length)
        self._length = len(self._texts[0])

    def _recompute(self, length: int) -> Tensor:
        """Read the last `length` tokens of each row into an empty cache; logits [rows, V]."""
        self._cache.reset()
        return self._read_last(length)

    def _read_last(self, length: int) -> Tensor:
        """Read the last `length` tokens of each row behind what the cache holds."""
        tokens = torch.tensor([text[-length:] for text in self._texts], device=self._decoder.device)
        chunks = tokens.split(max(1, PREFILL_CHUNK // len(tokens)), dim=1)
        return [self._decoder.next_logits(chunk, self._cache) for chunk in chunks][-1]
