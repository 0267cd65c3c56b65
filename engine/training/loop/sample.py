"""A glimpse of what the model writes, while it trains."""

from __future__ import annotations

import torch

from ....data.storage.errors import UserError
from ....data.tokenizers import Tokenizer, UnknownCharacterError
from ....models.cache import KVCache
from ....models.gpt import GPT
from ...generation.gumbel import any_token
from ...generation.sampling import Sampler
from ...requests import SamplingSettings

LENGTH = 200  # tokens


class PromptError(UserError):
    """The samples cannot begin as they were asked to; one sentence."""


class Preview:
    """Continues `prompt`, as far as the tokenizer knows its characters, at `temperature`; 0 is greedy.

    Raises PromptError where the tokenizer refuses a character of the prompt.
    """

    def __init__(self, tokenizer: Tokenizer, prompt: str = "", temperature: float = 0.8) -> None:
        self._tokenizer, self._temperature = tokenizer, temperature
        try:
            self.prompt, _ = tokenizer.admit(prompt)
        except UnknownCharacterError as error:
            raise PromptError(f"the sample prompt cannot be used: {error}") from error

    @torch.no_grad()  # not inference mode: a model that is spread over processes keeps what it gathers here
    def write(self, model: GPT, seed: int) -> str:
        """The continuation, up to 200 tokens or one that ends a text; the model is left as it was.

        Not the generate process's decoder: that one lays the weights out anew for speed, and a model that trains
        cannot.
        """
        config, device, training = model.config, next(model.parameters()).device, model.training
        settings = SamplingSettings(temperature=self._temperature, seed=seed)
        sampler = Sampler(settings, self._tokenizer.vocab_size, device)
        ids = self._beginning(seed)
        first = len(ids)
        cache = KVCache(config, 1, config.context_length, device, model.compute_dtype)
        unread = list(ids)
        model.eval()
        try:
            while len(ids) < first + LENGTH:
                if cache.length + len(unread) > config.context_length:  # read the last half of the window anew
                    cache.reset()
                    unread = ids[-max(1, config.context_length // 2) :]
                logits = model(torch.tensor([unread], device=device), cache)[:, -1, : self._tokenizer.vocab_size]
                token = int(sampler.draw(logits))
                if token in self._tokenizer.end_tokens:
                    break
                unread = [token]
                ids += unread
        finally:
            model.train(training)
        return self._tokenizer.decode(ids[first:])

    def _beginning(self, seed: int) -> list[int]:
        """What the model reads before it writes: the prompt, or else as little as there can be."""
        tokenizer = self._tokenizer
        if ids := [*tokenizer.begin, *tokenizer.encode(self.prompt)]:
            return ids
        new_line = tokenizer.new_line
        return [any_token(seed, tokenizer.vocab_size) if new_line is None else new_line]
