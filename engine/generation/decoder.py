"""Prefill, then one token after another, over a key/value cache that remembers what was read last."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ...data.storage.errors import UserError
from ...data.tokenizers import Tokenizer
from ...models.cache import KVCache
from ...models.config import ModelConfig
from ...models.fast.decoding import prepare_decoding
from ...models.gpt import GPT
from .graph_recording import Recorder
from .prefill_threads import Crowd
from .sampling import Sampler

LONGEST_WINDOW = 16_384  # positions: attention over more takes a CPU longer than a person waits for a token
LARGEST_CACHE = 1 << 30  # bytes that the keys and values of a window may take
_FIRST_LENGTH = 1024  # positions that the cache begins with
READ_AT_ONCE = 2048  # tokens of a prompt that are read in one pass: more would need more memory, and gain no time


class DecodeError(UserError):
    """The model cannot continue a text; the message says why and what to do."""


def window_length(config: ModelConfig, dtype: torch.dtype) -> int:
    """How many positions the decoder keeps of a text: the context length, as far as memory and patience reach."""
    position = 2 * config.n_layer * config.kv_heads * config.size_per_head * dtype.itemsize
    return min(config.context_length, LONGEST_WINDOW, max(1, LARGEST_CACHE // position))


class Decoder:
    """A model, its tokenizer, and one cache that grows with the text up to `context_length`, the decoder's window.

    `ends_begin` says that the model has learned what comes after the token that ends a text. `recorder` is there where
    replies are drawn by recorded work. `crowd` chooses the CPU threads of passes over many tokens.
    """

    def __init__(self, model: GPT, tokenizer: Tokenizer, ends_begin: bool = False) -> None:
        prepare_decoding(model)
        self.model = model
        self.tokenizer, self.ends_begin = tokenizer, ends_begin
        self.context_length = window_length(model.config, model.compute_dtype)
        self.crowd = Crowd()
        self.device = next(model.parameters()).device
        length = min(_FIRST_LENGTH, self.context_length)
        self.cache = KVCache(model.config, 1, length, self.device, model.compute_dtype)
        self._held: list[int] = []  # the tokens whose keys and values the cache holds
        # One pass over a prompt and a pass for each token round differently, and bfloat16 so coarsely that the same
        # seed would write another text: there a prompt is always read anew.
        self._reuses = model.compute_dtype == torch.float32
        self.recorder = Recorder(model, self.context_length) if self.device.type == "cuda" else None

    @property
    def reread_length(self) -> int:
        """How much of the window the model reads again when the text has passed the context length."""
        return max(1, self.context_length // 2)

    def take(self, model: GPT, tokenizer: Tokenizer) -> None:
        """Go on with the weights of `model`, which has the same configuration; the tensors stay where they are."""
        self.model.load_state_dict(model.state_dict())
        prepare_decoding(self.model)
        self.tokenizer = tokenizer
        self.forget()

    def forget(self) -> None:
        """Read the next prompt from its beginning, whatever was read before."""
        self._held.clear()

    def take_news(self) -> tuple[str, ...]:
        """What a person should be told, once."""
        news = () if self.recorder is None else tuple(self.recorder.news)
        if self.recorder is not None:
            self.recorder.news.clear()
        return news

    @torch.inference_mode()
    def tokens(self, ids: Sequence[int], sampler: Sampler) -> Iterator[int]:
        """Token after token that continues `ids` (1 to context_length of them), without end, whatever ends a text.

        What `ids` shares with the text in the cache is not computed again. Past the context length the last half of
        the window is read anew, so that each token sees at least that much, whatever the kind of positions. A token -1
        says that the sampler had none to draw, and nothing comes after it. Raises DecodeError where the weights give no
        probabilities, or have no row for one of `ids`.
        """
        logits = self.begin(ids)
        while True:
            drawn = sampler.draw(logits[None])
            token = int(drawn)  # the one wait for the device
            yield token
            if len(self._held) < self.context_length:
                logits = self._extend(drawn[None], [token])
            else:
                window = [*self._held, token][-self.reread_length :]
                self.forget()
                logits = self._read(window)

    @torch.inference_mode()
    def begin(self, ids: Sequence[int]) -> Tensor:
        """Bring the cache to hold exactly `ids`; the logits [V] after the last one. Raises as `tokens` does."""
        self.check_ids(ids)
        logits = self._read(ids)
        self.check_finite(logits.sum().item())
        return logits

    def check_ids(self, ids: Sequence[int]) -> None:
        """Raise DecodeError where the model has no row for one of `ids`."""
        if max(ids) >= self.model.config.vocab_size:
            raise DecodeError(
                f"the tokenizer gives the text a token {max(ids)} but the model has {self.model.config.vocab_size:,}; "
                "they do not belong together, put the model's own tokenizer beside it"
            )

    @staticmethod
    def check_finite(figure: float) -> None:
        """Raise DecodeError where a sum over logits or losses shows that the weights give no probabilities."""
        if not math.isfinite(figure):
            raise DecodeError(
                "the model gives NaN instead of probabilities: its training diverged; use an earlier checkpoint, or "
                "train again with a lower learning rate"
            )

    def _read(self, ids: Sequence[int]) -> Tensor:
        """Bring the cache to hold exactly `ids`; the logits after its last token."""
        shared = 0
        if self._reuses:
            limit = min(len(self._held), len(ids) - 1)  # the last token is always computed: its logits are needed
            shared = next((i for i in range(limit) if self._held[i] != ids[i]), limit)
        del self._held[shared:]
        self.cache.truncate(shared)
        logits = torch.empty(0)
        for start in range(shared, len(ids), READ_AT_ONCE):
            part = ids[start : start + READ_AT_ONCE]
            logits = self._extend(torch.tensor([part], device=self.device), part)
        return logits

    def _extend(self, tokens: Tensor, ids: Sequence[int]) -> Tensor:
        """Read `tokens` [1, T], which are `ids`, behind what the cache holds; the logits [V] after the last one."""
        logits = self.next_logits(tokens, self.cache)[0]
        self._held.extend(ids)
        return logits

    def next_logits(self, tokens: Tensor, cache: KVCache) -> Tensor:
        """Read `tokens` [B, T] behind what `cache` holds; the logits [B, V] after the last ones.

        Rows that pad the output layer beyond the tokenizer's vocabulary are cut off: they are no text.
        """
        needed = cache.length + tokens.shape[1]
        if needed > cache.max_length:
            cache.grow(min(self.context_length, max(needed, 2 * cache.max_length)))
        with self.crowd.threads_for(tokens.numel()):
            return self.model.next_logits(tokens, cache)[:, : self.tokenizer.vocab_size]
