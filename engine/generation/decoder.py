"""Prefill, then one token after another, over a key/value cache that remembers what was read last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ...data.tokenizers import Tokenizer
from ...models.cache import KVCache
from ...models.gpt import GPT
from .sampling import Sampler


class DecodeError(Exception):
    """The model cannot continue a text; the message says why and what to do."""


class Decoder:
    """A model, its tokenizer, and one static cache as long as the context."""

    def __init__(self, model: GPT, tokenizer: Tokenizer) -> None:
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.context_length = model.config.context_length
        self.device = next(model.parameters()).device
        self._cache = KVCache(model.config, 1, self.context_length, self.device, model.compute_dtype)
        self._held: list[int] = []  # the tokens whose keys and values the cache holds
        # One pass over a prompt and a pass for each token round differently, and bfloat16 so coarsely that the same
        # seed would write another text: there a prompt is always read anew.
        self._reuses = model.compute_dtype == torch.float32

    @property
    def reread_length(self) -> int:
        """How much of the window the model reads again when the text has passed the context length."""
        return max(1, self.context_length // 2)

    def take(self, model: GPT, tokenizer: Tokenizer) -> None:
        """Go on with the weights of `model`, which has the same configuration; the tensors stay where they are."""
        self.model.load_state_dict(model.state_dict())
        self.tokenizer = tokenizer
        self.forget()

    def forget(self) -> None:
        """Read the next prompt from its beginning, whatever was read before."""
        self._held.clear()

    @torch.inference_mode()
    def tokens(self, ids: Sequence[int], sampler: Sampler) -> Iterator[int]:
        """Token after token that continues `ids` (1 to context_length of them), without end.

        What `ids` shares with the text in the cache is not computed again. Past the context length the last half of
        the window is read anew, so that each token sees at least that much, whatever the kind of positions. Raises
        DecodeError where the weights give no probabilities.
        """
        logits = self._read(ids)
        if not logits.isfinite().all():
            raise DecodeError(
                "the model gives NaN instead of probabilities: its training diverged; use an earlier checkpoint, or "
                "train again with a lower learning rate"
            )
        while True:
            drawn = sampler.draw(logits)
            token = int(drawn)  # the one wait for the device
            yield token
            if len(self._held) < self.context_length:
                logits = self._extend(drawn.view(1, 1), [token])
            else:
                window = [*self._held, token][-self.reread_length :]
                self.forget()
                logits = self._read(window)

    def _read(self, ids: Sequence[int]) -> Tensor:
        """Bring the cache to hold exactly `ids`; the logits after its last token."""
        shared = 0
        if self._reuses:
            limit = min(len(self._held), len(ids) - 1)  # the last token is always computed: its logits are needed
            shared = next((i for i in range(limit) if self._held[i] != ids[i]), limit)
        del self._held[shared:]
        self._cache.truncate(shared)
        return self._extend(torch.tensor([ids[shared:]], device=self.device), ids[shared:])

    def _extend(self, tokens: Tensor, ids: Sequence[int]) -> Tensor:
        """Read `tokens` [1, T], which are `ids`, behind what the cache holds; the logits [V] after the last one.

        Rows that pad the output layer beyond the tokenizer's vocabulary are cut off: they are no text.
        """
        logits = self.model(tokens, self._cache)[0, -1, : self.tokenizer.vocab_size]
        self._held.extend(ids)
        return logits
